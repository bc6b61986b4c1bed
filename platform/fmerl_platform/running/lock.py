"""Exclusive lock on a file that ends with its holder, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fmerl.errors import InputError


@contextmanager
def exclusive(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock file `path`, made if it is not there; the error says `what` and `remedy` if another holds it.

    Raises:
        InputError: Another process holds it.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(path, what, remedy) from None
    try:
        yield
    finally:
        lock.release()
