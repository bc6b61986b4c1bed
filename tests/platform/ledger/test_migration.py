"""A database of another MLflow: told and copied before it is migrated, refused where it is newer."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from fmerl.errors import InputError
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.migration import keep_copy_before_migration
from fmerl_platform.ledger.store import database, storage_uri


def _older(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table alembic_version (version_num varchar(32))")
        connection.execute("insert into alembic_version values (?)", (revision,))
        connection.commit()


def test_an_older_database_is_copied_once_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scripts = ScriptDirectory(str(files("mlflow.store.db_migrations")))
    head = scripts.get_current_head()
    assert head is not None
    previous = scripts.get_revision(head).down_revision
    path = tmp_path / "mlflow.db"
    _older(path, str(previous))
    with caplog.at_level(logging.WARNING):
        keep_copy_before_migration(path)
    assert "a copy is kept" in caplog.text
    [copy] = tmp_path.glob("mlflow.db.*")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [(previous,)]
    kept = copy.stat().st_mtime_ns
    keep_copy_before_migration(path)
    assert copy.stat().st_mtime_ns == kept
    assert storage_uri(tmp_path) == database(tmp_path)


def test_a_newer_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    _older(path, "of the future")
    with pytest.raises(InputError, match=rf"{path}: written by a newer MLflow than .*; install"):
        storage_uri(tmp_path)
    with pytest.raises(InputError, match="written by a newer MLflow"):
        Experiment.open(database(tmp_path), "study", None)
    assert [item.name for item in tmp_path.glob("mlflow.db.*")] == ["mlflow.db.lock"]


def test_the_installed_mlflows_own_database_is_left_alone(
    tracking_uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Experiment.open(tracking_uri, "study", None)
    keep_copy_before_migration(Path(tracking_uri.removeprefix("sqlite:///")))
    keep_copy_before_migration(tmp_path / "absent.db")
    assert not caplog.records
