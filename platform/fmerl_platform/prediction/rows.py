"""Files of predictions: CSV, JSON lines or Parquet, written piece by piece and whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from fmerl.errors import InputError
from fmerl.files import check_writable, replaced_file

Write = Callable[[pa.Table], Any]


@contextmanager
def _csv(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    with pa_csv.CSVWriter(file, schema) as writer:
        yield writer.write_table


@contextmanager
def _parquet(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(file, schema) as writer:
        yield writer.write_table


@contextmanager
def _json_lines(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    def write(table: pa.Table) -> None:
        for row in table.to_pylist():
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())

    yield write


_WRITERS: dict[str, Callable[[IO[bytes], pa.Schema], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
}


def check_output(path: Path) -> None:
    """Refuse a file of another kind, or in a folder that is not there or cannot be written in."""
    if path.suffix not in _WRITERS:
        raise InputError(path, "no file of predictions", f"end its name in {', '.join(_WRITERS)}")
    if not path.parent.is_dir():
        raise InputError(path.parent, "no such folder", "make it first")
    if path.is_dir():
        raise InputError(path, "a folder stands where a file is meant", "give a file")
    check_writable(path.parent)


def write_rows(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write at least one table; returns the number of rows."""
    waiting = iter(tables)
    first = next(waiting)
    with replaced_file(path) as file, _WRITERS[path.suffix](file, first.schema) as write:
        write(first)
        count = len(first)
        for table in waiting:
            write(table)
            count += len(table)
    return count
