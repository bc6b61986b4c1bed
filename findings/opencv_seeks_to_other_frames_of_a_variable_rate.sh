#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93: in a video of variable frame rate a seek by frame or by time lands elsewhere.
#
# Guess: CAP_PROP_POS_FRAMES = n gives the n-th frame that reading from the start gives, CAP_PROP_POS_MSEC the frame shown
#        then, and CAP_PROP_FRAME_COUNT the number of frames.
# Seen:  both are turned into each other by the average rate. Of 2 s at 30 frames a second, 4 s at 5 and 2 s at 30 again,
#        frame 40 is the 53rd in MP4, and 5.5 s the frame of 7 s. Matroska tells 240 frames of 140, and 5.5 s gives none.
#        Reading on from the start gives every frame with the time that PyAV gives, to the rounding.
# For a user who cuts utterances out of recordings of phones or calls, whose rate varies: faces belong to another moment,
# often another speaker. Read from the start and compare POS_MSEC, or seek with PyAV and check each frame's time.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 av==18.1.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

TIMES = [k / 30 for k in range(60)] + [2 + k / 5 for k in range(20)] + [6 + k / 30 for k in range(60)]


def write(path: Path) -> None:
    """A video whose frames show their own numbers as eight bars, one for each bit."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 15
        for number, moment in enumerate(TIMES):
            bars = np.repeat([255 * (number >> bit & 1) for bit in range(8)], 8).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.broadcast_to(bars[None, :, None], (64, 64, 3)).copy(), "rgb24")
            frame.pts, frame.time_base = round(1000 * moment), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def number(picture: np.ndarray) -> int:
    return sum(int(picture[32, 8 * bit + 4].mean() > 127) << bit for bit in range(8))


def after(path: Path, position: int, value: float) -> int | None:
    capture = cv2.VideoCapture(str(path))
    capture.set(position, value)
    found, picture = capture.read()
    return number(picture) if found else None


def read_on(path: Path) -> list[tuple[int, float]]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        found, picture = capture.read()
        if not found:
            return frames
        frames.append((number(picture), capture.get(cv2.CAP_PROP_POS_MSEC) / 1000))


def shown(moments: Sequence[float]) -> list[int]:
    return [max(index for index, time in enumerate(TIMES) if time <= moment + 1e-3) for moment in moments]


folder = Path(sys.argv[1])
for name in ("a.mp4", "a.mkv"):
    write(path := folder / name)
    with av.open(path) as container:
        peers = [(number(frame.to_ndarray(format="rgb24")), float(frame.time)) for frame in container.decode(video=0)]
    frames = read_on(path)
    count = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
    by_frame = [after(path, cv2.CAP_PROP_POS_FRAMES, wanted) for wanted in (10, 40)]
    by_time = [after(path, cv2.CAP_PROP_POS_MSEC, 1000 * moment) for moment in (2.5, 5.5)]
    print(f"{name}: {count} frames told, {len(frames)} read; frames 10 and 40: {by_frame}; at 2.5 and 5.5 s: {by_time}")
    print(f"       shown at 2.5 and 5.5 s: {shown([2.5, 5.5])}")
    assert [item[0] for item in frames] == [item[0] for item in peers] == list(range(140)), "the behaviour has changed"
    np.testing.assert_allclose([item[1] for item in frames], [item[1] for item in peers], atol=1e-3)
    assert by_time != shown([2.5, 5.5]), "the behaviour has changed"
    if name == "a.mp4":
        assert count == 140 and by_frame == [10, 53] and by_time[0] == 64, "the behaviour has changed"
    else:
        assert count == 240 and by_time[1] is None, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
