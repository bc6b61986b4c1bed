"""Tables as rows of text, the same from CSV and Parquet files. An empty cell is a missing value."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fmerl.errors import InputError
from fmerl.user_text import read_text

_DELIMITERS = ",;\t|"
_NAMED_DELIMITER = "sep="
_MOST_NAMES = 20
"""Most columns that an error lists."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a table: cells as text, an empty string where the table has none."""

    path: Path
    number: int
    """Row number, counted in records from 1, the header being row 1 (also for Parquet, which has no header row)."""
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def error(self, what: str, remedy: str) -> InputError:
        """InputError that names this row."""
        return InputError(self.path, what, remedy, row=self.number)


def read_csv(
    path: Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    errors: Literal["strict", "surrogateescape"] = "strict",
) -> list[Row]:
    """Read the named columns of a CSV file, encoded as for `fmerl.user_text.read_text`, LF or CRLF.

    Cells are separated by a comma, semicolon, tab or bar: by the one that a first line `sep=;` names, as spreadsheets
    write it, else by the one that finds most of the required columns in the header. Columns may come in any order,
    others are ignored, blank lines are skipped but counted.

    Args:
        path: The file.
        required: Columns that must be there.
        optional: Columns whose cells are empty where there are none.
        errors: Handling of bytes that are not UTF-8; `surrogateescape` leaves them to the caller.

    Raises:
        InputError: No such file, another encoding, broken quoting, a row of another length than the header,
            a required column missing or one given twice.
    """
    text = read_text(path, errors=errors)
    header: list[str] | None = None
    rows = []
    number = 0
    try:
        for number, record in _records(text, required):
            if header is None:
                check_columns(path, record, required, optional, row=number)
                header = record
                wanted = [(name, header.index(name)) for name in (*required, *optional) if name in header]
                absent = dict.fromkeys(set(optional) - set(header), "")
            elif record:
                if len(record) != len(header):
                    what = f"{len(record)} cells where the header has {len(header)}"
                    raise InputError(path, what, "quote cells that hold commas or line ends", row=number)
                rows.append(Row(path, number, {**absent, **{name: record[place] for name, place in wanted}}))
    except csv.Error as error:
        raise InputError(path, f"broken CSV ({error})", "mend the quotes of this row", row=number + 1) from None
    if header is None:
        raise InputError(path, "empty file", "write a header row and one row per utterance")
    return rows


def check_columns(
    path: Path, found: Sequence[str], required: Sequence[str], optional: Sequence[str], row: int | None = None
) -> None:
    """Raise InputError for a required column that is missing, or a column wanted that is there twice."""
    missing = [name for name in required if name not in found]
    if missing:
        what = f"missing column {', '.join(missing)} (found: {_listed(found)})"
        raise InputError(path, what, "add the column or rename the one that holds it", row=row)
    count = Counter(found)
    twice = sorted(name for name in (*required, *optional) if count[name] > 1)
    if twice:
        raise InputError(path, f"column {', '.join(twice)} is there twice", "keep one of them", row=row)


def _records(text: str, required: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Records with their numbers from 1; a line that names the delimiter is counted and left out."""
    first = text.partition("\n")[0].strip("\r")
    named = first.removeprefix(_NAMED_DELIMITER) if first.lower().startswith(_NAMED_DELIMITER) else ""
    if len(named) == 1:
        records = _split(text, named)
        next(records)
        return enumerate(records, start=2)
    # The comma comes first, so that it stands where no header is found.
    delimiter = max(_DELIMITERS, key=lambda mark: len(set(required) & set(_header(text, mark))))
    return enumerate(_split(text, delimiter), start=1)


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return next(_split(text, delimiter), [])
    except csv.Error:
        return []


def _split(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES]) or "none"
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
