"""Pictures of one utterance: frames at a regular stride, upright, cut to the speaker's half.

Shapes: F frames, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.features.encoder import Side
from fmerl.features.media import MediaError
from fmerl.features.track import Track

_TOLERANCE = 0.5
"""Seconds that a picture may end before its span without being listed as odd."""
_SEEK_STRIDE = 4.0
"""Seconds between frames above which each is sought: frames between are then not worth decoding."""


def read_frames(
    path: Path | None,
    *,
    frames: int,
    start: float | None = None,
    end: float | None = None,
    side: Side | None = None,
) -> tuple[list[NDArray[np.uint8]], str | None]:
    """Read at most F = `frames` RGB pictures [h, w, 3], and list their oddities.

    The span is cut into F equal parts; the first frame of each counts. A span that holds no frame shows the one
    before it. Of a file that breaks off, the frames before the break count, and this is listed.

    Args:
        path: Media file.
        frames: F.
        start: Start of the span, in seconds; None for the beginning of the file.
        end: End of the span, in seconds; None for the end of the picture.
        side: Half of the upright picture.

    Raises:
        InputError: PyAV is not installed.
        MediaError: No file, no picture, or no frame within the span.
    """
    pictures: list[NDArray[np.uint8]] = []
    odd = None
    with Track(path, "video") as track:
        begin = start or 0.0
        stop = end if end is not None else track.end
        if stop is None:
            raise MediaError("the file does not say how long its picture is")
        try:
            for time, frame in _strided(track, begin, stop, frames):
                pictures.append(_upright(frame, side))
                last = time
        except MediaError as error:
            if not pictures:
                raise
            odd = str(error)
    if not pictures:
        raise MediaError(f"there is no frame between {begin:g} s and {stop:g} s")
    if odd is None and last < stop - (stop - begin) / frames - _TOLERANCE:
        odd = f"the picture ends after {last:.1f} s, its span at {stop:.1f} s"
    return pictures, odd


def _strided(track: Track, begin: float, stop: float, count: int) -> Iterator[tuple[float, Any]]:
    """Time and first frame of each of `count` equal parts of a span that has one."""
    stride = (stop - begin) / count
    if stride > _SEEK_STRIDE:
        for part in range(count):
            yield from _firsts(track, begin + part * stride, begin + (part + 1) * stride, 1)
    else:
        yield from _firsts(track, begin, stop, count)


def _firsts(track: Track, begin: float, stop: float, count: int) -> Iterator[tuple[float, Any]]:
    # Half a microsecond, since times are rounded where the file counts them in other units.
    stride, rounding, due = max(stop - begin, 0) / count, 5e-7, 0
    before = None
    for time, frame in track.frames_from(begin):
        if time + rounding < begin:
            before = time, frame
            continue
        if time + rounding >= stop:
            break
        if time + rounding >= begin + due * stride:
            yield time, frame
            due = int((time + rounding - begin) / stride) + 1
        if due >= count:
            return
    if due == 0 and before is not None and begin < (track.end or 0.0):
        yield before


def _upright(frame: Any, side: Side | None) -> NDArray[np.uint8]:
    """RGB [h, w, 3], turned and mirrored as the file's display matrix says, then cut to a half."""
    # One core per encoder; starting more threads takes longer than a small picture itself.
    picture = _displayed(frame.to_ndarray(format="rgb24", threads=1), _display_matrix(frame))
    middle = picture.shape[1] // 2
    half = slice(None) if side is None else slice(middle) if side == "left" else slice(middle, None)
    return np.ascontiguousarray(picture[:, half])


def _display_matrix(frame: Any) -> NDArray[np.int32] | None:
    """Matrix [[a, b], [c, d]] that takes a place [x, y] to its place on the screen; None where there is none."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return np.frombuffer(bytes(data), dtype=np.int32).reshape(3, 3)[:2, :2]
    return None


def _displayed(picture: NDArray[np.uint8], matrix: NDArray[np.int32] | None) -> NDArray[np.uint8]:
    """A picture by the nearest of the eight turns and mirrorings to its matrix."""
    if matrix is None or not matrix.any():
        return picture
    if np.abs(np.diagonal(matrix)).sum() < np.abs(np.diagonal(matrix[::-1])).sum():
        picture, matrix = picture.swapaxes(0, 1), matrix[::-1]
    # Width follows a, or c once the axes are swapped; height d, or b.
    return picture[:: -1 if matrix[1, 1] < 0 else 1, :: -1 if matrix[0, 0] < 0 else 1]
