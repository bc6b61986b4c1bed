"""MLflow's database: a file in the storage, made by one command while others wait, and waited for when it is locked."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from fmerl.errors import NO_SPACE, InputError, LostError, path_error
from fmerl_platform.ledger.migration import keep_copy_before_migration
from fmerl_platform.ledger.server import tracking_server

_FILE = "sqlite:///"
_LONGEST_WAIT = 600
"""Seconds of waiting for another program's lock on the file, which a backup or a browser of the database may hold for
long, or for a server that has stopped answering."""
_PATIENCE = 2.0
"""Seconds of waiting before it is said."""
_FAULTS = {
    "database or disk is full": errno.ENOSPC,
    "readonly database": errno.EROFS,
    "disk I/O error": errno.EIO,
    "unable to open database file": errno.ENOENT,
    "no such table": errno.ENOENT,
}
"""SQLite's words for what became of the file, and the operating system's error that stands behind them."""
_log = logging.getLogger(__name__)


def storage_uri(storage: Path) -> str:
    """MLflow tracking URI of a storage that is there: the server of `MLFLOW_TRACKING_URI`, else its database.

    Raises:
        InputError: There is no database, or it is a newer MLflow's.
    """
    server = tracking_server()
    if server:
        return server
    path = storage / "mlflow.db"
    if not path.exists():
        raise InputError(path, "no such file", "give the --storage that the study was run with")
    keep_copy_before_migration(path)
    return database(storage)


def database(storage: Path) -> str:
    """URI of the storage's own database."""
    return f"{_FILE}{(storage / 'mlflow.db').resolve()}"


def client_of(uri: str) -> MlflowClient:
    """MLflow client that waits for a locked file or a server that is away, silent about all else that is no fault.

    Its methods raise `LostError` once the database cannot be written any more.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db").setLevel(logging.CRITICAL)  # it logs each error's stack, and raises it
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # about 15 s; MLflow says nothing meanwhile
    return cast(MlflowClient, _Patient(MlflowClient(uri), uri))


class _Patient:
    """An MLflow client that calls again after a fault that passes, and names one that does not.

    MLflow itself gives up on a locked file after 20 s, whatever the URI's `timeout` says. A call that found it locked
    has written nothing, or metrics that the next try finds to be the same.
    """

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self._client, self._uri = client, uri

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(call_patiently, self._uri, found) if callable(found) else found


def call_patiently(uri: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call MLflow as the methods of `client_of` do."""
    deadline, told = time.monotonic() + _LONGEST_WAIT, False
    while True:
        try:
            return call(*arguments, **options)
        except MlflowException as error:
            passing = _passing(uri, error)
            if passing is None:
                raise
            if time.monotonic() > deadline:
                raise LostError(
                    f"{passing} for {_LONGEST_WAIT} s; the same command goes on from what is kept"
                ) from error
        except OSError as error:  # of an artifact's file
            if (fault := path_error(error)) is None:
                raise
            raise LostError(str(fault)) from error
        if not told:
            _log.warning("%s: waiting, at most %d s", passing, _LONGEST_WAIT)
            told = True
        time.sleep(1.0)


def _passing(uri: str, error: MlflowException) -> str | None:
    """A fault that may pass, in words; None for one of the call itself.

    Raises:
        LostError: It will not pass.
    """
    text = str(error)
    for number in NO_SPACE:
        if f"[Errno {number}]" in text:
            *_, target, _ = text.split("'")  # where an artifact was being copied to
            raise LostError(str(path_error(OSError(number, os.strerror(number), target)))) from error
    if not uri.startswith(_FILE):
        away = text.startswith("API request to ") and "failed with exception" in text
        return f"the tracking server {uri} does not answer" if away else None
    path = _file(uri)
    for words, number in _FAULTS.items():
        if words in text:
            number = number if path.exists() else errno.ENOENT  # SQLite calls a file that is gone read-only
            raise LostError(str(path_error(OSError(number, os.strerror(number), str(path))))) from error
    return f"another program holds MLflow's database {path}" if "database is locked" in text else None


def count_rows(uri: str) -> None:
    """Let SQLite count a file's metrics once, which MLflow never does: till then it goes through the values of all runs
    for those of one. A file that is locked or cannot be written is left as it is.
    """
    if uri.startswith(_FILE):
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(_file(uri))) as connection:
            connection.executescript("pragma analysis_limit = 400; analyze metrics")


def _file(uri: str) -> Path:
    return Path(uri.removeprefix(_FILE).partition("?")[0])


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Keep other commands from making or migrating the same database file meanwhile; a server sees to that itself.

    Raises:
        InputError: The file is a newer MLflow's.
    """
    if not uri.startswith(_FILE):
        yield
        return
    path = _file(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        _log.warning("waiting for another command that opens %s", path)
        lock.acquire()
    try:
        keep_copy_before_migration(path)
        yield
    finally:
        lock.release()
