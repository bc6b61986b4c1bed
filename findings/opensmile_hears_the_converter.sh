#!/usr/bin/env bash
# opensmile 2.6.0: noise of the last bit in a pause, and the rate of the file, change most features of an utterance.
#
# Guess: what nobody hears moves few columns: with noise of one 16-bit step in a pause, or at 8 in place of 16 kHz for a voice
#        whose energy lies below 3 kHz, nearly all of IS10 stays within 5 %.
# Seen:  a second of voice and a second of digital silence, against the same with +-1 in the silence: fewer than half of the
#        1,582 columns stay within 5 %. Every second sample of the voice, at 8 kHz: about a third.
# For a user: a corpus whose parts went through different converters (dither, codecs, noise gates, telephone and studio) has
# features that tell the converters apart; use one converter and one rate for all of it.
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
tone = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 15))
voice = (tone / 10 * (1 + 0.3 * np.sin(2 * np.pi * 3 * times))).astype(np.float32)
silence = np.zeros(RATE, np.float32)
dither = (np.random.default_rng(0).integers(-1, 2, RATE) / 2**15).astype(np.float32)
smile = opensmile.Smile(opensmile.FeatureSet.IS10, opensmile.FeatureLevel.Functionals)


def features(sound: np.ndarray, rate: int = RATE) -> np.ndarray:
    return smile.process_signal(sound, rate).to_numpy()[0]


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """Share of columns that agree within 5 %."""
    return float(np.isclose(first, second, rtol=0.05).mean())


pause = alike(features(np.concatenate([voice, silence])), features(np.concatenate([voice, dither])))
rates = alike(features(voice), features(voice[::2], RATE // 2))
again = alike(features(voice), features(voice))
print(f"columns within 5 %: noise of one step in the pause {pause:.2f}, 8 kHz {rates:.2f}, the same sound again {again:.2f}")
assert pause < 0.5, "the behaviour has changed"
assert rates < 0.5, "the behaviour has changed"
assert again == 1, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
