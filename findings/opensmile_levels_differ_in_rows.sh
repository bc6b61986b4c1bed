#!/usr/bin/env bash
# opensmile 2.6.0: a set's descriptors and their deltas, of the same second, have different numbers of rows.
#
# Guess: both levels have one row for every hop of 10 ms, 98 to 100 for a second, so that they stand side by side.
# Seen:  ComParE_2016 gives 96 rows of descriptors and 98 of their deltas, though both indexes begin at 0 s and end with .94
#        to 1 s, which stands there twice: the index does not tell which rows belong together.
# For a user who joins levels by their place: descriptors and deltas of other moments in one row, or an error of shapes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opensmile==2.6.0

cat > "$folder/probe.py" <<'PYTHON'
import numpy as np
import opensmile

RATE = 16_000
times = np.arange(RATE) / RATE
voice = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 12)).astype(np.float32) / 8
rows = {}
for level in ("LowLevelDescriptors", "LowLevelDescriptors_Deltas"):
    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel[level])
    table = smile.process_signal(voice, RATE)
    spans = [(start.total_seconds(), end.total_seconds()) for start, end in table.index]
    rows[level] = len(table), spans[0], spans[-2:]
    print(f"{level:<28}{len(table)} rows of {table.shape[1]} columns, from {spans[0]} to {spans[-2:]}")
at_ends = (0.0, 0.06), [(0.94, 1.0)] * 2
assert rows["LowLevelDescriptors"] == (96, *at_ends), "the behaviour has changed"
assert rows["LowLevelDescriptors_Deltas"] == (98, *at_ends), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
