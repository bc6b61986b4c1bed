#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): after a seek in a WAV of ADPCM, frames are not those that their times say.
#
# Guess: a frame's time is the same whether the file is decoded from its beginning or from a seek on.
# Seen:  each frame of 2,041 samples is counted as 2,048 by the seek: at 30 s of a sound at 16 kHz the frame that is given
#        out as such is one of about a tenth of a second earlier, and the error grows with the time. PCM in WAV has none.
# For a user with telephone or game recordings: every span of a long file is cut at another place than it is marked.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE, SECONDS = 16_000, 40
noise = np.random.default_rng(0).integers(-8000, 8000, RATE * SECONDS).astype(np.int16)


def write(path: Path, codec: str) -> None:
    with av.open(path, "w", format="wav") as output:
        stream = output.add_stream(codec, rate=RATE, layout="mono")
        for first in range(0, len(noise), RATE):
            frame = av.AudioFrame.from_ndarray(noise[None, first : first + RATE], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def late(path: Path, moment: float) -> float:
    """Seconds by which the first frame's time is later than the place of its samples."""
    with av.open(path) as source:
        whole = np.concatenate([frame.to_ndarray().ravel() for frame in source.decode(audio=0)])
    with av.open(path) as source:
        stream = source.streams.audio[0]
        source.seek(int(moment / stream.time_base), stream=stream)
        frames = source.decode(stream)
        next(frames)
        frame = next(frames)
    samples = frame.to_ndarray().ravel()
    starts = np.flatnonzero(whole[: -len(samples)] == samples[0])
    place = next(start for start in starts if np.array_equal(whole[start : start + len(samples)], samples))
    return round(frame.time - place / RATE, 4)


seen = {}
for codec in ("pcm_s16le", "adpcm_ima_wav"):
    path = Path(sys.argv[1]) / f"{codec}.wav"
    write(path, codec)
    seen[codec] = [late(path, moment) for moment in (3.0, 10.0, 30.0)]
    print(f"{codec:<16}late by {seen[codec]} s at 3, 10 and 30 s")
assert seen["pcm_s16le"] == [0.0, 0.0, 0.0], "the behaviour has changed"
assert 0.005 < seen["adpcm_ima_wav"][0] < seen["adpcm_ima_wav"][1] < seen["adpcm_ima_wav"][2], "the behaviour has changed"
assert seen["adpcm_ima_wav"][2] > 0.08, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
