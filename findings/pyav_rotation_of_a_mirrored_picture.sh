#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): of a mirrored picture `VideoFrame.rotation` says that it is upside down, or nothing at all.
#
# Guess: a display matrix that mirrors is no rotation, so `rotation` is 0 and the mirror is to be found elsewhere.
# Seen:  a left-right mirror (front cameras) has rotation -180, though nothing is upside down; a top-bottom mirror has 0,
#        though everything is; a mirror along the diagonal has -90. Only the matrix in the frame's side data tells.
# For a user who turns pictures by `rotation`: faces of self-recorded clips stand on their heads, and none is found.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

UNIT = 1 << 16
MATRICES = {
    "upright": (1, 0, 0, 1),
    "half a turn": (-1, 0, 0, -1),
    "left-right mirror": (-1, 0, 0, 1),
    "top-bottom mirror": (1, 0, 0, -1),
    "diagonal mirror": (0, 1, 1, 0),
}
path = Path(sys.argv[1]) / "clip.mp4"
with av.open(path, "w") as output:
    stream = output.add_stream("mpeg4", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    output.mux(stream.encode(frame))
    output.mux(stream.encode())
content = bytearray(path.read_bytes())
place = content.index(b"tkhd") + 44
seen = {}
for name, (a, b, c, d) in MATRICES.items():
    struct.pack_into(">9i", content, place, a * UNIT, b * UNIT, 0, c * UNIT, d * UNIT, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    with av.open(path) as source:
        seen[name] = next(source.decode(video=0)).rotation
    print(f"{name:<20}{seen[name]}")
assert list(seen.values()) == [0, -180, -180, 0, -90], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
