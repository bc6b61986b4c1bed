"""The one error for input that a user can mend, and an operating system's errors told as it."""

from __future__ import annotations

import errno
import re
from pathlib import Path

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_TOLD = {
    errno.ENOENT: ("no such file", "check the path"),
    errno.ENOTDIR: ("a file stands where a folder is meant", "give a folder"),
    errno.EISDIR: ("a folder stands where a file is meant", "give a file"),
    errno.EEXIST: ("a file is in the way", "move it, or choose another place"),
    errno.EACCES: ("no permission", "change its permissions, or choose another place"),
    errno.EPERM: ("no permission", "change its permissions, or choose another place"),
    errno.EROFS: ("its file system is read-only", "choose another place"),
    errno.EIO: ("its disk cannot be read or written", "check the disk"),
    errno.ESTALE: ("its network folder is gone", "mount it again"),
    errno.ELOOP: ("its links lead in a circle", "name the file itself"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one"),
    **dict.fromkeys(
        NO_SPACE, ("no space is left on its disk", "make room; the same command goes on from what is kept")
    ),
}
"""Fault and remedy by error number."""


class InputError(ValueError):
    """Bad input: one line that names where it is, what is wrong and how to mend it.

    Args:
        where: File, folder or argument at fault.
        what: The fault, with the offending value.
        remedy: Advice to the user.
        row: Row in the file, counted from 1 with the header as row 1.
    """

    def __init__(self, where: str | Path, what: str, remedy: str, row: int | None = None) -> None:
        super().__init__(where, what, remedy, row)
        self.where, self.what, self.remedy, self.row = str(where), what, remedy, row

    def __str__(self) -> str:
        row = "" if self.row is None else f", row {self.row}"
        return f"{self.where}{row}: {self.what}; {self.remedy}"


class LostError(RuntimeError):
    """A place that was lost while results were written to it: one line with what is wrong and how to mend it."""


def path_error(error: OSError, remedy: str | None = None) -> InputError | None:
    """An operating system's error about a path as one line; None for any other.

    Args:
        error: The error; one of a full disk needs no path.
        remedy: Advice for a path that is not there.
    """
    # Arrow quotes the path in its message.
    quoted = re.search(r"'([^']+)'", str(error))
    name = error.filename or (quoted[1] if quoted else None)
    if error.errno not in _TOLD or (name is None and error.errno not in NO_SPACE):
        return None
    path = Path(name or "disk")
    told, advice = _TOLD[error.errno]
    if error.errno == errno.ENOTDIR:
        path = next((parent for parent in path.parents if parent.is_file()), path)
    return InputError(path, told, remedy if remedy and error.errno == errno.ENOENT else advice)
