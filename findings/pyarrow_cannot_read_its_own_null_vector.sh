#!/usr/bin/env bash
# pyarrow 25.0.1: a null among vectors of fixed size is written to Parquet, and the file cannot be read any more.
#
# Guess: a null vector comes back as null, like a null in a list of any length, or is refused when it is written.
# Seen:  writing succeeds; reading ends in `ArrowInvalid: Expected all lists to be of size=2 but index 2 had size=0`, for all
#        rows of the column and by an index that is not that of the null. A list of any length with the same null comes back.
# For a user: features of a corpus whose missing rows are null are lost with the column; write zeros and a flag.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1

cat > "$folder/probe.py" <<'PYTHON'
import io

import pyarrow as pa
import pyarrow.parquet as pq

rows = [[1.0, 2.0], None, [3.0, 4.0]]


def through(kind: pa.DataType) -> str:
    file = io.BytesIO()
    pq.write_table(pa.table({"feature": pa.array(rows, kind)}), file)
    try:
        return str(pq.read_table(file)["feature"].to_pylist())
    except pa.ArrowInvalid as error:
        return f"ArrowInvalid: {error}"


seen = {str(kind): through(kind) for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 2))}
for kind, said in seen.items():
    print(f"{kind:<40}{said}")
free, fixed = seen.values()
assert free == str(rows), "the behaviour has changed"
assert "Expected all lists to be of size=2" in fixed, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
