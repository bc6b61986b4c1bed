"""One process at a time: a lock that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fmerl.errors import InputError


@contextmanager
def exclusive(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock file `path`.

    Args:
        path: Made if it is not there.
        what: Said when another process holds it.
        remedy: What the user can do then.

    Raises:
        InputError: Another process holds it.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(path, what, remedy) from None
        yield
