"""The sound of one utterance: a wav file, or the sound track of a video. S is its number of samples."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fmerl.features.audio.mixing import Mixer
from fmerl.features.media import MediaError
from fmerl.features.track import Track

_TOLERANCE = 0.5
"""Seconds that sound may end before its span without being listed as odd."""
_SILENT = 8
"""Highest 16-bit sample of silence: -72 dB of full scale, about what a lossy codec makes of zeros."""


def read_sound(
    path: Path | None,
    *,
    sampling_rate: int,
    start: float | None = None,
    end: float | None = None,
    longest: float = inf,
) -> tuple[NDArray[np.int16], str | None]:
    """Mono samples at `sampling_rate`, [S], and their oddities.

    Channels are averaged, whatever their layout. Samples that are not finite count as zero and gaps between a file's
    times as silence. Of a file that breaks off, the part that can be decoded counts. All of this is listed.

    Args:
        path: Media file.
        sampling_rate: Rate in Hz.
        start: Start of the span, in seconds; None for the beginning of the sound.
        end: End of the span, in seconds; None for the end of the sound.
        longest: Most seconds that are read.

    Raises:
        InputError: PyAV is not installed.
        MediaError: No file, no sound track, no sound within the span, or silence alone.
    """
    begin, odd = start or 0.0, list[str]()
    with Track(path, "audio") as track:
        stop = track.end if end is None else end
        mixer = Mixer(sampling_rate, begin if start is not None else -inf, inf if end is None else end, longest)
        try:
            for time, frame in track.frames_from(begin):
                if not mixer.add(time, frame):
                    break
        except MediaError as error:
            if mixer.begin is None:
                raise
            odd.append(str(error))
    if mixer.begin is None:
        raise MediaError("the sound track is empty")
    sound = mixer.sound()
    if not len(sound):
        raise MediaError(f"there is no sound between {begin:g} s and {'its end' if end is None else f'{end:g} s'}")
    if np.abs(sound.astype(np.int32)).max() <= _SILENT:
        why = "silent" if mixer.peak * 2**15 <= _SILENT + 1 else "silent once averaged: its channels cancel each other"
        raise MediaError(f"the {len(sound) / sampling_rate:.2f} s of sound are {why}")
    last = mixer.begin + len(sound) / sampling_rate
    if mixer.limited:
        odd.append(f"only the first {longest:g} s of sound are read")
    elif not odd and stop is not None and last < stop - _TOLERANCE:
        odd.append(f"the sound ends after {last:.1f} s, its span at {stop:.1f} s")
    odd += mixer.oddities()
    return sound, "; ".join(odd) or None
