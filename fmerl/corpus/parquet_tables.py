"""Parquet tables, one file or a folder of parts, as rows of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from fmerl.corpus.tables import Row, check_columns
from fmerl.errors import InputError, path_error

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def read_parquet(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """Read the named columns of a Parquet table as text.

    Strings stay as they are, whatever type holds them; whole numbers are `1`, others as CSV has them (`1.0`, `0.1`);
    null and NaN are empty cells. A folder is read as the parts in it by name, and columns by which it is split, as in
    `split=train/`, belong to the table; files that begin with `_` or `.` are none of its parts.

    Raises:
        InputError: Not a Parquet file, a required column missing or a column given twice, or a column
            whose type has no text form.
    """
    absent = dict.fromkeys(optional, "")
    return [replace(row, cells=absent | row.cells) for row in stream_parquet(path, required, optional)]


def stream_parquet(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows as `read_parquet` gives them, one at a time, with the cells of those columns alone that are there.

    Raises:
        InputError: As `read_parquet`, when the row is reached.
    """
    if not path.is_dir():
        yield from _stream_file(path, required, optional, {})
        return
    parts = [part for part in sorted(path.rglob("*.parquet")) if part.is_file() and not _hidden(part, path)]
    if not parts:
        raise InputError(path, "a folder without *.parquet in it", "write the table again")
    for part in parts:
        yield from _stream_file(part, required, optional, _partition(part, path))


def _stream_file(path: Path, required: Sequence[str], optional: Sequence[str], given: dict[str, str]) -> Iterator[Row]:
    number = 1
    try:
        with path.open("rb") as source, pq.ParquetFile(source) as file:
            found = file.schema_arrow.names
            given = {name: value for name, value in given.items() if name not in found}
            check_columns(path, [*found, *given], required, optional)
            wanted = [name for name in (*required, *optional) if name in found]
            shared = {name: given[name] for name in (*required, *optional) if name in given}
            for batch in file.iter_batches(columns=wanted):
                table = pa.Table.from_batches([batch])
                columns = [_texts(path, name, table[name]) for name in wanted]
                for record in zip(*columns, strict=True):
                    number += 1
                    yield Row(path, number, shared | dict(zip(wanted, record, strict=True)))
    except (pa.ArrowException, OSError) as error:
        told = path_error(error) if isinstance(error, OSError) else None
        what = f"unreadable Parquet file ({_first_line(error)})"
        raise told or InputError(path, what, "write the file again") from None


def _texts(path: Path, name: str, column: pa.ChunkedArray) -> list[str]:
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_floating(column.type):
            # NumPy writes the shortest decimal of a number's own width, as data frames do in CSV.
            return ["" if math.isnan(value) else str(value) for value in column.to_numpy()]
        texts = column.cast(pa.string())
        texts.validate(full=True)
    except pa.ArrowException as error:
        what = f"column {name} of type {column.type} cannot be read as text ({_first_line(error)})"
        raise InputError(path, what, "store it as strings or numbers") from None
    return [text or "" for text in texts.to_pylist()]


def _hidden(part: Path, folder: Path) -> bool:
    return any(name.startswith(("_", ".")) for name in part.relative_to(folder).parts)


def _partition(part: Path, folder: Path) -> dict[str, str]:
    """Columns that a part's folders give, such as `split=train`."""
    pairs = (name.partition("=") for name in part.relative_to(folder).parts[:-1])
    return {column: "" if value == _NO_VALUE else unquote(value) for column, mark, value in pairs if mark}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
