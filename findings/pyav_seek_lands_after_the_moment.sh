#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): in an MPEG transport stream a backward seek lands up to a group of pictures after the moment.
#
# Guess: `seek(backward=True)`, the default, lands on the last key frame at or before the moment, as it does in mp4.
# Seen:  the same frames, with a key frame every 2 s, in mp4 and in a transport stream: asked for 1 s, mp4 begins at 0 s and
#        the transport stream at 2 s; asked for 5 s, at 4 s and at 6 s. What lies between is never seen.
# For a user who cuts utterances from broadcast recordings: no frame at all in a short span, or late ones without a word.
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

RATE, SECONDS = 25, 8


def write(path: Path, container: str) -> None:
    with av.open(path, "w", format=container) as output:
        stream = output.add_stream("libx264", rate=RATE, options={"sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 2 * RATE
        for index in range(SECONDS * RATE):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def first_after(path: Path, moment: float) -> float:
    """Time of the first frame after a seek, since the first frame of all."""
    with av.open(path) as source:
        stream = source.streams.video[0]
        begin = next(source.decode(stream)).time
        source.seek(int((begin + moment) / stream.time_base), stream=stream)
        return round(next(source.decode(stream)).time - begin, 2)


seen = {}
for container in ("mp4", "mpegts"):
    path = Path(sys.argv[1]) / container
    write(path, container)
    seen[container] = [first_after(path, moment) for moment in (1.0, 3.0, 5.0)]
    print(f"{container:<8}asked for 1, 3, 5 s; got {seen[container]}")
assert seen["mp4"] == [0.0, 2.0, 4.0], "the behaviour has changed"
assert all(time > moment for time, moment in zip(seen["mpegts"], (1.0, 3.0, 5.0))), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
