#!/usr/bin/env bash
# Ray Data 2.60.0: whole numbers in a block with a missing one leave map_batches as floats, and large ones are rounded.
#
# Guess: a function that gives its batch back changes nothing: whole numbers stay whole, and None stays None.
# Seen:  in NumPy batches, the default, a block with a None has floats and NaN: 2^53 + 1 comes back as 2^53. A block
#        without one keeps its whole numbers, so what a row holds depends on how the rows were cut into blocks. Strings
#        beside None stay. In batches of pandas or pyarrow all rows come back as they were.
# For a user: keys and times in nanoseconds no longer join once one of them is missing, and NaN is not None. Set
# batch_format="pyarrow", or keep keys as strings.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[data]==2.60.0"

cat > "$folder/probe.py" <<'PYTHON'
import logging
import math

import ray

logging.disable(logging.CRITICAL)
LARGE = 2**53 + 1
NUMBERS = [None, LARGE, 2, 3]
WORDS = [None, "a", "b", "c"]
ray.init(address="local", num_cpus=2, object_store_memory=100 * 2**20, logging_level="ERROR", log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
rows = [{"number": number, "word": word} for number, word in zip(NUMBERS, WORDS, strict=True)]
seen = {}
for how in ("as they are", "default", "numpy", "pandas", "pyarrow"):
    for blocks in (1, 2):
        data = ray.data.from_items(rows, override_num_blocks=blocks)
        options = {} if how == "default" else {"batch_format": how}
        if how != "as they are":
            data = data.map_batches(lambda batch: batch, batch_size=None, **options)
        back = data.take_all()
        seen[how, blocks] = [row["number"] for row in back]
        words = [row["word"] for row in back]
        print(f"{how:12} {blocks} blocks {seen[how, blocks]}, {words}", flush=True)
        assert words == WORDS, "the behaviour has changed"
        if how not in ("default", "numpy"):
            assert seen[how, blocks] == NUMBERS, "the behaviour has changed"
            continue
        first, *rest = seen[how, blocks]
        whole = [isinstance(number, int) for number in rest]
        assert math.isnan(first) and rest == [2**53, 2, 3], "the behaviour has changed"
        assert whole == [False, blocks == 2, blocks == 2], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
