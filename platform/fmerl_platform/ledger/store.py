"""MLflow's database: a file in the storage, made by one command while others wait, and waited for when it is locked."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow import MlflowClient

from fmerl.errors import InputError
from fmerl_platform.ledger.server import tracking_server

_FILE = "sqlite:///"
_LOCKED_SECONDS = 600
"""Longest wait for another program's lock on the file; a backup or a browser of the database may hold it for long."""
_PATIENCE = 2.0
"""Seconds of waiting before it is said."""
_log = logging.getLogger(__name__)


def storage_uri(storage: Path) -> str:
    """MLflow tracking URI of a storage that is there: the server of `MLFLOW_TRACKING_URI`, else its database.

    Raises:
        InputError: There is no database.
    """
    server = tracking_server()
    if not server and not (storage / "mlflow.db").exists():
        raise InputError(storage / "mlflow.db", "no such file", "give the --storage that the study was run with")
    return server or database(storage)


def database(storage: Path) -> str:
    """URI of the storage's own database."""
    return f"{_FILE}{(storage / 'mlflow.db').resolve()}"


def client_of(uri: str) -> MlflowClient:
    """MLflow client, silent about making or migrating a database and about copying files."""
    for logger in ("mlflow.store.db", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    waits = uri.startswith(_FILE) and "?" not in uri
    return MlflowClient(f"{uri}?timeout={_LOCKED_SECONDS}" if waits else uri)


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Keep other commands from making or migrating the same database file meanwhile; a server sees to that itself."""
    if not uri.startswith(_FILE):
        yield
        return
    path = Path(uri.removeprefix(_FILE).partition("?")[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        _log.warning("waiting for another command that opens %s", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
