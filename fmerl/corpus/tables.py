"""Tables as rows of text, the same from CSV and Parquet files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    absent = dict.fromkeys(optional, "")
    records = _csv_records(path, io.StringIO(text, newline=""), required, optional)
    return [Row(path, number, absent | cells) for number, cells in records]


def stream_csv(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows as `read_csv` gives them, one at a time and with the cells of the columns that are there alone.

    Raises:
        InputError: As `read_csv`, when the row is reached.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, cells in _csv_records(path, file, required, optional):
                yield Row(path, number, cells)
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the file's name") from None
    except UnicodeDecodeError:
        raise InputError(path, "not UTF-8", "save the file as UTF-8") from None


def _csv_records(
    path: Path, lines: Iterable[str], required: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of every record, of the columns that are there."""
    records = csv.reader(lines, strict=True)
    header: list[str] | None = None
    number = 0
    try:
        for number, record in enumerate(records, start=1):
            if header is None:
                header = _checked_columns(path, record, required)
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


def read_parquet(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """Read the named columns of a Parquet file as text; numbers become their shortest exact decimals.

    Raises:
        InputError: Not a Parquet file, a required column missing or a column given twice, or a column
            whose type has no text form.
    """
    absent = dict.fromkeys(optional, "")
    return [replace(row, cells=absent | row.cells) for row in stream_parquet(path, required, optional)]


def stream_parquet(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows as `read_parquet` gives them, one at a time and with the cells of the columns that are there alone.

    Raises:
        InputError: As `read_parquet`, when the row is reached.
    """
    number = 1
    try:
        with pq.ParquetFile(path) as file:
            present = _checked_columns(path, file.schema_arrow.names, required)
            wanted = [name for name in (*required, *optional) if name in present]
            for batch in file.iter_batches(columns=wanted):
                columns = [_texts(path, name, batch.column(name)) for name in wanted]
                for record in zip(*columns, strict=True):
                    number += 1
                    yield Row(path, number, dict(zip(wanted, record, strict=True)))
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, f"unreadable Parquet file ({_first_line(error)})", "write the file again") from None


def _texts(path: Path, name: str, column: pa.Array) -> list[str]:
    try:
        texts = column.cast(pa.string())
        texts.validate(full=True)
    except pa.ArrowException as error:
        what = f"column {name} of type {column.type} cannot be read as text ({_first_line(error)})"
        raise InputError(path, what, "store it as strings or numbers") from None
    return [text or "" for text in texts.to_pylist()]


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
