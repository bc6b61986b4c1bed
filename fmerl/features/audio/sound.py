"""The sound of one utterance: a wav file, or the sound track of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.extras import optional_module
from fmerl.features.media import MediaError, decoded_from, length, open_stream

_TOLERANCE = 0.5
"""Seconds that sound may end before its span without being listed as odd."""


def read_sound(
    path: Path | None, *, sampling_rate: int, start: float | None = None, end: float | None = None
) -> tuple[NDArray[np.int16], str | None]:
    """Mono samples at `sampling_rate`, [S], and their oddities.

    Channels are averaged. Of a file that breaks off, the part that can be decoded counts, and this is listed.

    Args:
        path: Anything that FFmpeg reads.
        sampling_rate: Rate in Hz.
        start: Start of the span, in seconds; None for the beginning of the sound.
        end: End of the span, in seconds; None for the end of the sound.

    Raises:
        InputError: PyAV is not installed.
        MediaError: No file, no sound track, or no sound within the span.
    """
    av = optional_module("av", "audio")
    with open_stream(path, "audio") as stream:
        stop = length(stream) if end is None else end
        resampler = av.AudioResampler(format="s16", layout="mono", rate=sampling_rate)
        parts: list[NDArray[np.int16]] = []
        first, wanted, found, odd = None, np.inf, 0, None
        try:
            for time, frame in decoded_from(stream, start or 0.0):
                if first is None:
                    first = time
                    wanted = np.inf if end is None else round((end - first) * sampling_rate)
                if found >= wanted:
                    break
                # With timestamps the resampler would fill gaps or cut overlaps; the samples alone count.
                frame.pts = None
                for piece in resampler.resample(frame):
                    parts.append(_samples(piece))
                    found += len(parts[-1])
            parts += [_samples(piece) for piece in resampler.resample(None)]
        except MediaError as error:
            if not parts:
                raise
            odd = str(error)
    if first is None:
        raise MediaError("the sound track is empty")
    skipped = 0 if start is None else max(0, round((start - first) * sampling_rate))
    sound = np.concatenate([*parts, np.empty(0, np.int16)])[skipped : None if end is None else max(0, int(wanted))]
    if not len(sound):
        raise MediaError(f"there is no sound between {start or 0:g} s and {'its end' if end is None else f'{end:g} s'}")
    last = max(first, start or 0.0) + len(sound) / sampling_rate
    if odd is None and stop is not None and last < stop - _TOLERANCE:
        odd = f"the sound ends after {last:.1f} s, its span at {stop:.1f} s"
    return sound, odd


def _samples(frame: Any) -> NDArray[np.int16]:
    samples: NDArray[np.int16] = frame.to_ndarray()[0]
    return samples
