"""Tables of predictions, on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write predictions: names and turns, which repeat, as dictionaries, scores, which do not, as they are."""
    repeated = [field.name for field in rows.schema if str(field.type) in ("string", "int64")]
    pq.write_table(rows, path, use_dictionary=repeated, compression="zstd")


def mapped(tables: Iterable[pa.Table]) -> list[pa.Table]:
    """The same tables in a temporary file that is mapped: what nobody reads needs no memory.

    The file has no name any more when this returns, and goes with the last of its tables.
    """
    with tempfile.NamedTemporaryFile() as file:
        starts = []
        for table in tables:
            starts.append(file.tell())
            with pa.ipc.new_stream(file, table.schema) as stream:
                stream.write_table(table)
        if not starts:
            return []
        file.flush()
        whole, found = pa.memory_map(file.name), []
        for start in starts:
            whole.seek(start)
            found.append(pa.ipc.open_stream(whole).read_all())
        return found
