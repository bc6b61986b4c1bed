"""Files of predictions: names as dictionaries, scores as they are, every value back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fmerl.rows import mapped, write_rows
from fmerl.training.evaluation import prediction_rows


def _rows(count: int) -> pa.Table:
    draws = np.random.default_rng(0)
    names = np.array(["joy", "anger", None], dtype=object)
    return prediction_rows(
        utterance_id=[f"test_{row}" for row in range(count)],
        dialogue_id=[f"test_{row // 9}" for row in range(count)],
        turn=np.arange(count) % 9,
        speaker=np.array(["Joey", "Ross"])[draws.integers(0, 2, count)],
        split=["test"] * count,
        gold=names[draws.integers(0, 3, count)],
        predicted=names[draws.integers(0, 2, count)],
        scores=draws.normal(size=(count, 7)).astype(np.float32),
        vad=np.where(draws.random((count, 3)) < 0.1, np.nan, draws.random((count, 3))).astype(np.float32),
    )


def test_rows_come_back_and_take_less_than_parquets_defaults(tmp_path: Path) -> None:
    rows = _rows(2000)
    write_rows(tmp_path / "rows.parquet", rows)
    pq.write_table(rows, tmp_path / "defaults.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").equals(rows)
    sizes = [(tmp_path / f"{name}.parquet").stat().st_size for name in ("rows", "defaults")]
    assert sizes[0] < 0.7 * sizes[1]

    columns = pq.ParquetFile(tmp_path / "rows.parquet").metadata.row_group(0)
    dictionaries = {
        column.path_in_schema.partition(".")[0]
        for column in map(columns.column, range(columns.num_columns))
        if column.has_dictionary_page
    }
    assert dictionaries == {"utterance_id", "dialogue_id", "turn", "speaker", "split", "gold", "predicted"}


def test_mapped_tables_hold_the_same_and_no_memory() -> None:
    def tables() -> Iterator[pa.Table]:
        for number in range(3):
            names = pa.array([f"dialogue {number}", "b", "b"]).dictionary_encode()
            yield pa.table({"dialogue_id": names, "turn": [number, 1, 2], "p_joy": np.full(3, number, np.float32)})
        yield pa.table({"condition": pa.array([], pa.string())})
        yield pa.table({"values": np.arange(2_000_000.0)})

    expected, before = list(tables()), pa.total_allocated_bytes()
    found = mapped(tables())
    assert pa.total_allocated_bytes() - before < 100_000
    assert len(found) == len(expected)
    for table, other in zip(found, expected, strict=True):
        assert table.equals(other)
    assert mapped([]) == []
