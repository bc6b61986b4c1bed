"""Frames of sound mixed to one channel, brought to one rate, and laid on a line of time.

Shapes: S samples of the result, n of a frame, C channels.
"""

from __future__ import annotations

from math import ceil, gcd, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.extras import optional_module

_GAP = 0.05
"""Seconds by which times may part from the count of samples before a gap is left; containers round their times."""
_FULL_SCALE = 2.0
"""Highest sample that is cut off without a word; lossy codecs overshoot full scale by less."""


class Mixer:
    """Mono samples of a span: the mean of a frame's channels, whatever their layout.

    Sample k of the result lies at k / rate from the file's beginning, wherever decoding began: the resampler starts at
    a moment that both rates have in common. So a span of a file is that part of the whole.

    Args:
        rate: Rate of the result, in Hz.
        start: Start of the span, in seconds; `-math.inf` for that of the sound.
        end: End of the span likewise; `math.inf` for that of the sound.
        longest: Most seconds from the first sample of the span on.
    """

    def __init__(self, rate: int, start: float = -inf, end: float = inf, longest: float = inf) -> None:
        self._av = optional_module("av", "audio")
        self._rate, self._start, self._end, self._longest = rate, start, end, longest
        self._parts: list[tuple[int, NDArray[np.int16]]] = []
        self._resampler: Any = None
        self._rate_of_frames = self._due = self._next = self._bad = self._heard = 0
        self._gaps: list[float] = []
        self.begin: float | None = None
        """Where the span's first sample lies, in seconds; None before there was any frame."""
        self.peak = 0.0
        """Highest sample of any channel within the span, where full scale is 1."""
        self.limited = False
        """True if there was more sound than is read."""

    def add(self, time: float, frame: Any) -> bool:
        """Take in a frame that begins at `time`; returns False once the span is full."""
        if self.begin is None:
            self.begin = max(time, self._start)
            if self._longest < self._end - self.begin:
                self._end, self.limited = self.begin + self._longest, True
        if self._next >= self._end * self._rate:
            return False
        place = round(time * frame.sample_rate)
        if frame.sample_rate != self._rate_of_frames or place - self._due > _GAP * frame.sample_rate:
            self._restart(place, frame.sample_rate)
        self._feed(self._mono(frame))
        return True

    def sound(self) -> NDArray[np.int16]:
        """Samples of the span so far, [S]; no frame can be added afterwards."""
        self._flush()
        low, high = round((self.begin or 0.0) * self._rate), self._next
        high = max(low, high if self._end == inf else min(high, round(self._end * self._rate)))
        sound = np.zeros(high - low, dtype=np.int16)
        for place, part in self._parts:
            kept = part[max(0, low - place) : max(0, high - place)]
            offset = max(0, place - low)
            sound[offset : offset + len(kept)] = kept
        self.limited = self.limited and self._next > high
        return sound

    def oddities(self) -> list[str]:
        """Faults of the samples within the span."""
        told = [f"nothing for {seconds:.2f} s, which count as silence" for seconds in self._gaps]
        if self._bad:
            told.append(f"{self._bad:,} of {self._heard:,} samples are not finite and set to 0")
        if self.peak > _FULL_SCALE:
            told.append(f"samples reach {self.peak:.3g} times full scale and are cut off")
        return told

    def _restart(self, place: int, rate: int) -> None:
        """Begin anew at sample `place` of frames at `rate`."""
        self._flush()
        if self._rate_of_frames == rate and self._start < place / rate:
            self._gaps.append((place - self._due) / rate)
        # Zeros before the first sample, back to the last moment that both rates have in common.
        padding = place % (rate // gcd(rate, self._rate))
        self._next = (place - padding) * self._rate // rate
        self._rate_of_frames, self._due = rate, place - padding
        self._resampler = self._av.AudioResampler(format="s16", layout="mono", rate=self._rate)
        if padding:
            self._feed(np.zeros(padding, dtype=np.float32))

    def _feed(self, samples: NDArray[np.float32]) -> None:
        frame = self._av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = self._rate_of_frames
        self._due += len(samples)
        self._keep(self._resampler.resample(frame))

    def _flush(self) -> None:
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))
            self._resampler = None

    def _keep(self, pieces: list[Any]) -> None:
        for piece in pieces:
            self._parts.append((self._next, piece.to_ndarray()[0]))
            self._next += piece.samples

    def _mono(self, frame: Any) -> NDArray[np.float32]:
        """Mean over the channels of a frame, [n]; samples that are not finite are zero."""
        samples = _scaled(frame)
        rate, place = self._rate_of_frames, self._due
        finite = np.isfinite(samples)
        low = min(max(0, ceil((self.begin or 0.0) * rate) - place), samples.shape[1])
        high = samples.shape[1] if self._end == inf else max(low, ceil(self._end * rate) - place)
        if not finite.all():
            samples = np.where(finite, samples, 0.0)
        inside = samples[:, low:high]
        self._heard += inside.shape[1]
        self._bad += int((~finite[:, low:high]).any(axis=0).sum())
        self.peak = max(self.peak, float(np.abs(inside).max(initial=0.0)))
        return samples.mean(axis=0, dtype=np.float64).astype(np.float32)


def _scaled(frame: Any) -> NDArray[np.floating[Any]]:
    """Samples [C, n] of a frame, where full scale is 1."""
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "f":
        return samples
    middle = 128 if samples.dtype.kind == "u" else 0
    full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
    return (samples.astype(np.float64) - middle) / full_scale
