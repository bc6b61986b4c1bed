"""MLflow's database: a file in the storage, made by one command while others wait, and waited for when it is locked."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

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
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db").setLevel(logging.CRITICAL)  # it logs each error's stack, and raises it
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = MlflowClient(uri)
    return cast(MlflowClient, _Waiting(client)) if uri.startswith(_FILE) else client


class _Waiting:
    """An MLflow client that calls again while another program holds the database file's lock.

    MLflow itself gives up after 20 s, whatever the URI's `timeout` says. A call that found the file locked has written
    nothing, or metrics that the next try finds to be the same.
    """

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(_wait_for, found) if callable(found) else found


def _wait_for(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    deadline, told = time.monotonic() + _LOCKED_SECONDS, False
    while True:
        try:
            return call(*arguments, **options)
        except MlflowException as error:
            if "database is locked" not in str(error) or time.monotonic() > deadline:
                raise
        if not told:
            _log.warning("another program holds MLflow's database: waiting for it, at most %d s", _LOCKED_SECONDS)
            told = True
        time.sleep(1.0)


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
