"""Files: written whole or not at all, also after a power cut; their digests; and CSV lists."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from fmerl.errors import InputError


def check_writable(folder: Path) -> None:
    """Check that files can be written in a folder that is there or can be made; nothing is made or written.

    Raises:
        InputError: A file is in the way, or writing is not allowed.
        OSError: A folder above it cannot be looked into.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise InputError(place, "a file stands where a folder is meant", "move it, or choose another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        what = "its file system is read-only" if read_only else "no permission to write in it"
        raise InputError(place, what, "choose another folder")


@contextmanager
def replaced_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file to write; it takes `path`'s place, on disk, if the block succeeds and is deleted if not.

    Args:
        path: File in a folder that exists. A reader, or a process after a power cut, meets the old file or the new one.
    """
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with fresh.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)  # which a failed write, as on a full disk, does not say
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a list such as `problems.csv`, in one step (`replaced_file`), as UTF-8 with one line a row."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    with replaced_file(path) as file:
        file.write(text.getvalue().encode())


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """`sync` a folder with all that it holds."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)
