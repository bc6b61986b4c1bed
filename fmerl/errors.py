"""The one error for input that a user can mend."""

from __future__ import annotations

from pathlib import Path


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
