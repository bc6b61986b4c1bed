#!/usr/bin/env bash
# opensmile 2.6.0 with NumPy 2: a signal of 16-bit samples, as WAV files hold them, ends in an OverflowError.
#
# Guess: an int16 array is scaled by 2^15 like the samples of a file, and gives the features of the same sound as floats.
# Seen:  `OverflowError: Python integer 32768 out of bounds for int16`. An int32 array of the same samples is taken, and
#        is read as a sound that is 32,768 times as loud: most features differ.
# For a user of scipy.io.wavfile, whose arrays are int16: an error that names no remedy; whoever widens the array to get
# rid of it has features of clipped sound.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opensmile==2.6.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import numpy as np
import opensmile

RATE = 16_000
times = np.arange(RATE) / RATE
voice = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 12)) / 8
whole = np.round(voice * 2**15).astype(np.int16)
smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
floats = smile.process_signal(whole.astype(np.float32) / 2**15, RATE).to_numpy()[0]
try:
    smile.process_signal(whole, RATE)
    said = "no error"
except OverflowError as error:
    said = str(error)
wide = smile.process_signal(whole.astype(np.int32), RATE).to_numpy()[0]
alike = int(np.isclose(floats, wide, rtol=0.01).sum())
print(f"int16: {said}")
print(f"int32: {alike} of {len(floats)} features within 1 % of those of the same samples as floats")
assert "out of bounds for int16" in said, "the behaviour has changed"
assert alike < len(floats) / 2, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
