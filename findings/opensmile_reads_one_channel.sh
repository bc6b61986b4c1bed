#!/usr/bin/env bash
# opensmile 2.6.0: of a stereo signal the first channel alone is read, without a word.
#
# Guess: channels are averaged, as most tools for speech do, or a second one is refused.
# Seen:  features of two channels are, bit for bit, those of the first. With the voice in the second channel they are those
#        of silence. `mixdown=True` alone changes nothing, since `channels=[0]`, the default, picks the first one before.
# For a user with recordings of two microphones, one for each speaker: half of the speakers become silence.
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
silence = np.zeros_like(voice)


def features(*channels: np.ndarray, **options: object) -> np.ndarray:
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals, **options)
    return smile.process_signal(np.stack(channels), RATE).to_numpy()[0]


seen = {
    "voice left, as voice": np.array_equal(features(voice, silence), features(voice)),
    "voice right, as silence": np.array_equal(features(silence, voice), features(silence)),
    "voice left, as half of it": np.array_equal(features(voice, silence), features(voice / 2)),
    "mixdown, as voice": np.array_equal(features(voice, silence, mixdown=True), features(voice)),
    "mixdown of both, as half of it": np.array_equal(
        features(voice, silence, channels=[0, 1], mixdown=True), features(voice / 2)
    ),
}
for case, equal in seen.items():
    print(f"{case:<32}{equal}")
assert list(seen.values()) == [True, True, False, True, True], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
