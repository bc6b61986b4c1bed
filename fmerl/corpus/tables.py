"""Tables as rows of text, the same from CSV and Parquet files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from fmerl.errors import InputError


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
    """Read the named columns of a UTF-8 CSV file, with or without byte order mark, LF or CRLF.

    Columns may come in any order, others are ignored, blank lines are skipped but counted.

    Args:
        errors: Handling of bytes that are not UTF-8; `surrogateescape` leaves them to the caller.

    Raises:
        InputError: No such file, not UTF-8, broken quoting, a row of another length than the header,
            a required column missing or a column given twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors=errors)
    except FileNotFoundError:
        raise InputError(path, "no such file", "check the folder's name") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(path, f"byte {error.start} is not UTF-8", "save the file as UTF-8", row=line) from None
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    rows = []
    number = 0
    try:
        for number, record in enumerate(records, start=1):
            if header is None:
                header = _checked_columns(path, record, required)
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


def read_parquet(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """Read the named columns of a Parquet file as text; numbers become their shortest exact decimals.

    Raises:
        InputError: Not a Parquet file, a required column missing or a column given twice, or a column
            whose type has no text form.
    """
    try:
        with pq.ParquetFile(path) as file:
            present = _checked_columns(path, file.schema_arrow.names, required)
            table = file.read(columns=[name for name in (*required, *optional) if name in present])
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, f"unreadable Parquet file ({_first_line(error)})", "write the file again") from None
    columns: dict[str, list[str]] = {}
    for name in (*required, *optional):
        if name not in present:
            columns[name] = [""] * table.num_rows
            continue
        try:
            texts = table[name].cast(pa.string())
            texts.validate(full=True)
        except pa.ArrowException as error:
            what = f"column {name} of type {table[name].type} cannot be read as text ({_first_line(error)})"
            raise InputError(path, what, "store it as strings or numbers") from None
        columns[name] = [text or "" for text in texts.to_pylist()]
    records = zip(*columns.values(), strict=True)
    return [
        Row(path, number, dict(zip(columns, record, strict=True))) for number, record in enumerate(records, start=2)
    ]


def _checked_columns(path: Path, found: list[str], required: Sequence[str]) -> list[str]:
    missing = [name for name in required if name not in found]
    if missing:
        what = f"missing column {', '.join(missing)} (found: {', '.join(found) or 'none'})"
        raise InputError(path, what, "add the column or rename the one that holds it", row=1)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise InputError(path, f"column {', '.join(twice)} is there twice", "keep one of them", row=1)
    return found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
