"""Frames that a network makes of sound, and pieces of long sound whose frames are, together, those of the whole.

Shapes: S samples, T frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sound that a network reads at once."""

    start: int
    """First sample."""
    stop: int
    """Sample after the last."""
    frames: int
    """Frames of the sound in it."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Places of frames in sound; frame t begins at sample t * stride.

    Example:
        >>> Framing(stride=320, field=400).frames(16_000)
        49
    """

    stride: int
    """Samples from one frame to the next."""
    field: int
    """Samples that a sound needs for a frame; a network that fills up the last frame itself needs one."""

    @classmethod
    def of_convolutions(cls, kernels: list[int], strides: list[int]) -> Framing:
        """Framing of convolutions without padding, one after the other."""
        stride, field = 1, 1
        for kernel, step in zip(kernels, strides, strict=True):
            field += (kernel - 1) * stride
            stride *= step
        return cls(stride, field)

    def frames(self, samples: int) -> int:
        """Number of frames T of S samples."""
        return 0 if samples < self.field else (samples - self.field) // self.stride + 1

    def pieces(self, samples: int, longest: int) -> list[Piece]:
        """Pieces of at most `longest` samples, of equal numbers of frames to within one.

        Neighbours overlap where a frame reads beyond its stride. The last piece holds what fills no frame, too.

        Args:
            samples: Number of samples S.
            longest: Most samples of a piece; room for one frame at least.
        """
        total, reach = self.frames(samples), max(self.field, self.stride)
        if samples <= longest:
            return [Piece(0, samples, total)]
        most = (longest - reach) // self.stride + 1
        count = -(-total // most)
        cuts = [total * part // count for part in range(count + 1)]
        pieces = [
            Piece(low * self.stride, (high - 1) * self.stride + reach, high - low) for low, high in pairwise(cuts)
        ]
        last = pieces[-1]
        return [*pieces[:-1], Piece(last.start, min(samples, last.start + longest), last.frames)]
