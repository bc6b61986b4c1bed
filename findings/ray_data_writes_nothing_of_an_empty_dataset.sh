#!/usr/bin/env bash
# Ray Data 2.60.0: an empty dataset is written without a word, and nothing of it is there.
#
# Guess: write_parquet of no rows gives a file with the columns and no rows, as pyarrow and pandas write it, or raises.
# Seen:  the call returns, and there is no file and not even the folder, of Parquet, CSV and JSON alike; read_parquet
#        then raises FileNotFoundError. With SaveMode.OVERWRITE the folder of an earlier write is left empty, and
#        read_parquet raises ValueError. An empty table that pyarrow wrote is read as no rows.
# For a user: a step that filters all rows of a split away breaks the next step, which finds no columns and no file.
# Check the count before writing.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[data]==2.60.0"

cat > "$folder/probe.py" <<'PYTHON'
import logging
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.data import SaveMode
from ray.data.expressions import col

logging.disable(logging.CRITICAL)
ray.init(address="local", num_cpus=2, object_store_memory=100 * 2**20, logging_level="ERROR", log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False


def said_of(place: Path) -> str:
    try:
        return f"{ray.data.read_parquet(str(place)).count()} rows"
    except (FileNotFoundError, ValueError) as error:
        return type(error).__name__


table = pa.table({"score": [0.1, 0.2]})
kinds = {
    "of an empty table": ray.data.from_arrow(table.slice(0, 0)),
    "of rows that all were filtered": ray.data.from_arrow(table).filter(expr=col("score") > 1),
}
for name, data in kinds.items():
    for form in ("parquet", "csv", "json"):
        place = Path(sys.argv[1]) / f"{name} {form}"
        getattr(data, f"write_{form}")(str(place))
        print(f"{name}: {form}: rows {data.count()}, folder there: {place.exists()}", flush=True)
        assert not place.exists(), "the behaviour has changed"
    over = Path(sys.argv[1]) / f"{name} over"
    ray.data.from_arrow(table).write_parquet(str(over))
    data.write_parquet(str(over), mode=SaveMode.OVERWRITE)
    files = sorted(over.iterdir())
    seen = [said_of(place) for place in (Path(sys.argv[1]) / f"{name} parquet", over)]
    print(f"{name}: files over two rows: {files}; read: {seen}", flush=True)
    assert not files and seen == ["FileNotFoundError", "ValueError"], "the behaviour has changed"
place = Path(sys.argv[1]) / "by pyarrow"
place.mkdir()
pq.write_table(table.slice(0, 0), place / "0.parquet")
print(f"the empty table by pyarrow: {said_of(place)}", flush=True)
assert said_of(place) == "0 rows", "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
