"""Small media files of any container and codec by PyAV, whose pictures and sound tell their moment."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAME_RATE = 25
_BITS = 8
_BAR = 8
"""Pixels of a bar; the picture is as wide as eight."""


def picture(index: int) -> NDArray[np.uint8]:
    """RGB [32, 64, 3]: eight bars, one for each bit of the index."""
    bits = [index >> bit & 1 for bit in range(_BITS)]
    row = np.repeat(np.where(bits, 220, 32), _BAR).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (32, _BITS * _BAR, 3)).copy()


def index_of(pixels: NDArray[np.uint8]) -> int:
    """Index that a picture shows."""
    bars = pixels.reshape(pixels.shape[0], _BITS, _BAR, 3)[:, :, 2:-2].mean(axis=(0, 2, 3))
    return int(sum(1 << bit for bit in range(_BITS) if bars[bit] > 126))


def sweep(seconds: float, rate: int) -> NDArray[np.int16]:
    """[S] samples of a tone whose pitch and loudness wander, so that no two moments sound alike."""
    random, times = np.random.default_rng(0), np.arange(round(seconds * rate)) / rate
    knots = np.arange(0, seconds + 0.2, 0.1)
    pitch = np.interp(times, knots, random.uniform(200, 2000, len(knots)))
    loudness = np.interp(times, knots, random.uniform(0.2, 1, len(knots)))
    return np.round(12_000 * loudness * np.sin(2 * np.pi * np.cumsum(pitch) / rate)).astype(np.int16)


def write_media(
    path: Path,
    container: str,
    video: str | None = None,
    audio: str | None = None,
    *,
    seconds: int = 5,
    rate: int = 48_000,
    container_options: dict[str, str] | None = None,
    video_options: dict[str, str] | None = None,
) -> None:
    """Write `seconds` of numbered pictures in groups of 30, of the sweep, or of both."""
    import av

    with av.open(path, "w", format=container, container_options=container_options or {}) as output:
        waiting: list[tuple[Any, Iterator[Any]]] = []
        if video is not None:
            stream: Any = output.add_stream(video, rate=FRAME_RATE, options=video_options or {})
            stream.width, stream.height, stream.bit_rate = _BITS * _BAR, 32, 400_000
            stream.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
            stream.codec_context.gop_size, stream.codec_context.thread_count = 30, 1
            if video in {"mpeg1video", "mpeg2video", "mpeg4", "libx264"}:
                stream.codec_context.max_b_frames = 2
            waiting.append((stream, _pictures(seconds, stream.pix_fmt)))
        if audio is not None:
            stream = output.add_stream(audio, rate=rate, layout="mono")
            waiting.append((stream, _sounds(sweep(seconds, rate), rate)))
        for tenths in zip(*(frames for _, frames in waiting), strict=True):
            for (stream, _), frames in zip(waiting, tenths, strict=True):
                for frame in frames:
                    output.mux(stream.encode(frame))
        for stream, _ in waiting:
            output.mux(stream.encode())


def _pictures(seconds: int, pixel_format: str) -> Iterator[list[Any]]:
    """Frames of each fifth of a second."""
    import av

    step = FRAME_RATE // 5
    for first in range(0, seconds * FRAME_RATE, step):
        frames = []
        for index in range(first, first + step):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
            frames.append(frame)
        yield frames


def _sounds(samples: NDArray[np.int16], rate: int) -> Iterator[list[Any]]:
    """A frame for each fifth of a second."""
    import av

    step = rate // 5
    for first in range(0, len(samples), step):
        frame = av.AudioFrame.from_ndarray(samples[None, first : first + step], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        yield [frame]
