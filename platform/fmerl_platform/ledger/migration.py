"""MLflow's migration of an older database, which it makes as soon as it opens one: told, and a copy kept."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow

from fmerl.errors import InputError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_log = logging.getLogger(__name__)


def keep_copy_before_migration(database: Path) -> None:
    """Copy an MLflow database that the installed MLflow will migrate, and say so.

    Older clients refuse a migrated database. One whose tables are up to date, or that is not there yet, is left alone.

    Args:
        database: SQLite file.

    Raises:
        InputError: Its tables are those of a newer MLflow.
    """
    found = _revision(database)
    if found is None:
        return
    scripts = _scripts()
    if found == scripts.get_current_head():
        return
    if found not in {script.revision for script in scripts.walk_revisions()}:
        what = f"written by a newer MLflow than the installed {mlflow.__version__}"
        raise InputError(database, what, "install that version or a newer one")
    copy = database.with_name(f"{database.name}.{found}")
    if not copy.exists():
        part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.replace(copy)
    _log.warning(
        "%s: MLflow %s migrates it to its own tables, after which older versions refuse it; a copy is kept in %s",
        database,
        mlflow.__version__,
        copy.name,
    )


@cache
def _scripts() -> ScriptDirectory:
    """MLflow's own migrations, of which there are many to load."""
    from alembic.script import ScriptDirectory  # starts slowly, and a worker never asks for it

    return ScriptDirectory(str(files("mlflow.store.db_migrations")))


def _revision(database: Path) -> str | None:
    """Alembic revision of a database's tables; None where there are none."""
    if not database.exists():
        return None
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("select version_num from alembic_version").fetchone()
        except sqlite3.Error:  # no tables yet, or no database: MLflow tells what is wrong
            return None
    return None if row is None else str(row[0])
