"""Tables as rows of text, the same from CSV and Parquet files. An empty cell is a missing value."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fmerl.errors import InputError
from fmerl.user_text import read_text, text_file

_DELIMITERS = ",;\t|"
_NAMED_DELIMITER = "sep="
_HEAD = 2**16
"""Characters in which the header of a file that is read row by row must end."""
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

    def with_cells(self, **cells: str) -> Row:
        """The row with these cells, in place of its own of the same columns."""
        return Row(self.path, self.number, self.cells | cells)

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
    absent = dict.fromkeys(optional, "")
    rows = parse_csv(path, read_text(path, errors=errors), required, optional)
    return [replace(row, cells=absent | row.cells) for row in rows]


def parse_csv(path: Path, text: str, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a CSV's text, with the cells of those columns alone that are there.

    Args:
        path: To name in errors.
        text: The CSV.
        required: Columns that must be there.
        optional: Columns that may be there.

    Raises:
        InputError: As `read_csv`, when the row is reached.
    """
    for number, cells in _cells(path, text, io.StringIO(text, newline=""), required, optional):
        yield Row(path, number, cells)


def stream_csv(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows as `read_csv` gives them, one at a time, with the cells of those columns alone that are there.

    Raises:
        InputError: As `read_csv`, when the row is reached.
    """
    with text_file(path) as file:
        head = file.read(_HEAD)
        file.seek(0)
        for number, cells in _cells(path, head, file, required, optional):
            yield Row(path, number, cells)


def _cells(
    path: Path, head: str, lines: Iterable[str], required: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of every record.

    Args:
        path: To name in errors.
        head: The beginning of the text, header included.
        lines: All of it.
        required: Columns that must be there.
        optional: Columns that may be there.
    """
    header: list[str] | None = None
    number = 0
    try:
        for number, record in _records(head, lines, required):
            if header is None:
                check_columns(path, record, required, optional, row=number)
                header = record
                wanted = [(name, header.index(name)) for name in (*required, *optional) if name in header]
            elif record:
                if len(record) != len(header):
                    what = f"{len(record)} cells where the header has {len(header)}"
                    raise InputError(path, what, "quote cells that hold commas or line ends", row=number)
                yield number, {name: record[place] for name, place in wanted}
    except csv.Error as error:
        raise InputError(path, f"broken CSV ({error})", "mend the quotes of this row", row=number + 1) from None
    if header is None:
        raise InputError(path, "empty file", "write a header row and one row per utterance")


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


def _records(head: str, lines: Iterable[str], required: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Records with their numbers from 1; a line that names the delimiter is counted and left out."""
    first = head.partition("\n")[0].strip("\r")
    named = first.removeprefix(_NAMED_DELIMITER) if first.lower().startswith(_NAMED_DELIMITER) else ""
    if len(named) == 1:
        records = _split(lines, named)
        next(records)
        return enumerate(records, start=2)
    # The comma comes first, so that it stands where no header is found.
    delimiter = max(_DELIMITERS, key=lambda mark: len(set(required) & set(_header(head, mark))))
    return enumerate(_split(lines, delimiter), start=1)


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return next(_split(io.StringIO(text, newline=""), delimiter), [])
    except csv.Error:
        return []


def _split(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, strict=True, delimiter=delimiter)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES]) or "none"
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
