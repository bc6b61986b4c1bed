"""Parquet tables, one file or a folder of parts, as rows of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    if not path.is_dir():
        return _read_file(path, required, optional, {})
    parts = [part for part in sorted(path.rglob("*.parquet")) if part.is_file() and not _hidden(part, path)]
    if not parts:
        raise InputError(path, "a folder without *.parquet in it", "write the table again")
    return [row for part in parts for row in _read_file(part, required, optional, _partition(part, path))]


def _read_file(path: Path, required: Sequence[str], optional: Sequence[str], given: dict[str, str]) -> list[Row]:
    try:
        with path.open("rb") as source, pq.ParquetFile(source) as file:
            found = file.schema_arrow.names
            given = {name: value for name, value in given.items() if name not in found}
            check_columns(path, [*found, *given], required, optional)
            table = file.read(columns=[name for name in (*required, *optional) if name in found])
    except (pa.ArrowException, OSError) as error:
        told = path_error(error) if isinstance(error, OSError) else None
        what = f"unreadable Parquet file ({_first_line(error)})"
        raise told or InputError(path, what, "write the file again") from None
    columns: dict[str, list[str]] = {}
    for name in (*required, *optional):
        if name in table.column_names:
            columns[name] = _texts(path, name, table[name])
        else:
            columns[name] = [given.get(name, "")] * table.num_rows
    records = zip(*columns.values(), strict=True)
    return [
        Row(path, number, dict(zip(columns, record, strict=True))) for number, record in enumerate(records, start=2)
    ]


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
