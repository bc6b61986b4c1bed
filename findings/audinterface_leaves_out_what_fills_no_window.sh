#!/usr/bin/env bash
# audinterface 1.4.0: a sound shorter than the window has no row at all, and the rest of a longer one is left out.
#
# Guess: what does not fill a window is padded with zeros, or becomes a shorter last one.
# Seen:  with windows of .3 s every .2 s, a sound of .25 s gives an empty result, without a warning; of 1 s the last .1 s is
#        in no window. Without a window both are processed whole.
# For a user who extracts from a table of segments: short utterances ("No.", "Mm.") have no row, and joining by place shifts
# all rows behind them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check audinterface==1.4.0

cat > "$folder/probe.py" <<'PYTHON'
import warnings

import audinterface
import numpy as np

RATE = 16_000
warnings.simplefilter("error")
windows = audinterface.Process(process_func=lambda sound, rate: sound.shape[1], win_dur=0.3, hop_dur=0.2)
whole = audinterface.Process(process_func=lambda sound, rate: sound.shape[1])
seen = {}
for seconds in (1.0, 0.25):
    sound = np.ones(round(seconds * RATE), np.float32)
    result = windows.process_signal(sound, RATE)
    last = None if result.empty else result.index[-1][1].total_seconds()
    seen[seconds] = (len(result), last, len(whole.process_signal(sound, RATE)))
    print(f"{seconds} s: {len(result)} windows, the last ends at {last} s; {seen[seconds][2]} row without windows")
assert seen == {1.0: (4, 0.9, 1), 0.25: (0, None, 1)}, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
