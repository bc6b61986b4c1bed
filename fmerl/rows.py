"""Parquet files of predictions."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write predictions: names and turns, which repeat, as dictionaries, scores, which do not, as they are."""
    repeated = [field.name for field in rows.schema if str(field.type) in ("string", "int64")]
    pq.write_table(rows, path, use_dictionary=repeated, compression="zstd")
