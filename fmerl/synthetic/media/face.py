"""Faces drawn by program, whose brows, eyes and mouth follow valence, arousal and dominance.

Plain NumPy: every part is a soft-edged ellipse or arc over the picture. The shading is what frontal-face detectors
look for: eye sockets darker than forehead, nose ridge and cheeks, mouth darker than chin.

Shapes: h x w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 120, 160
"""Pixels of a picture with one person."""

_EDGE = 0.06
"""Width of a part's soft edge, in half-heights of the head."""

Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One person's face."""

    skin: Colour
    """Colour of the skin, 0 to 255."""
    hair: Colour
    background: Colour
    width: float
    """Width of the head over its height."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """A person at random."""
        tone, hair, wall = rng.uniform(0.85, 1.0), rng.uniform(0.5, 1.3), rng.uniform(60, 110, size=3)
        return cls(
            skin=(235 * tone, 195 * tone, 170 * tone),
            hair=(60 * hair, 42 * hair, 30 * hair),
            background=(float(wall[0]), float(wall[1]), float(wall[2])),
            width=rng.uniform(0.74, 0.82),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """One moment of a face, in half-heights of the head where not said otherwise."""

    smile: float
    """Height of the corners of the mouth above its middle."""
    mouth: float
    """Half the height of the open mouth."""
    brow: float
    """Height of the brows above rest."""
    frown: float
    """Depth of the inner ends of the brows below the outer ends."""
    eye: float
    """Half the height of the open eyes."""
    x: float = 0.0
    """Sway of the head to the right."""
    y: float = 0.0
    """Sway of the head downwards."""


def pose(vad: NDArray[np.floating], *, voice: float, sway: tuple[float, float], blinks: bool) -> Pose:
    """Pose of the face for a feeling.

    Valence bends the mouth, arousal raises the brows and opens the eyes and mouth, dominance against valence draws
    the brows together (anger) or lifts their inner ends (fear, sadness).

    Args:
        vad: Valence, arousal, dominance in [-1, 1], [3].
        voice: Loudness of the speech at this moment, 0 to 1.
        sway: Sway of the head.
        blinks: True for closed eyes.
    """
    valence, arousal, dominance = (float(value) for value in vad)
    return Pose(
        smile=0.13 * valence,
        mouth=0.025 + (0.10 + 0.05 * arousal) * voice,
        brow=0.07 * arousal - 0.04 * dominance,
        frown=0.09 * (dominance - valence) / 2,
        eye=0.015 if blinks else 0.075 + 0.03 * arousal - 0.01 * dominance,
        x=sway[0],
        y=sway[1],
    )


def draw_face(look: Look, moment: Pose) -> NDArray[np.uint8]:
    """Picture of one person, RGB [h, w, 3]."""
    canvas = _Canvas(look.background)
    x, y, width = moment.x, moment.y, look.width
    skin = np.array(look.skin)
    canvas.ellipse((x, y + 1.75), (1.25, 0.75), (70, 75, 95))
    canvas.ellipse((x, y + 0.95), (0.33, 0.45), tuple(skin * 0.72))
    canvas.ellipse((x, y - 0.12), (width * 1.1, 1.02), look.hair)
    canvas.ellipse((x, y), (width, 1.0), tuple(skin))
    canvas.ellipse((x, y - 0.98), (width * 0.9, 0.42), look.hair)
    for side in (-1, 1):
        eye = (x + side * 0.34, y - 0.12)
        canvas.ellipse(eye, (0.25, 0.17), tuple(skin * 0.62), soft=0.5)
        canvas.ellipse((x + side * 0.42, y + 0.28), (0.2, 0.16), tuple(np.minimum(skin * 1.06, 255)), soft=0.8)
        canvas.ellipse(eye, (0.155, moment.eye), (235, 235, 235))
        canvas.ellipse(eye, (min(0.075, moment.eye), min(0.08, moment.eye)), (25, 20, 20))
        tilt = side * moment.frown
        canvas.stroke((x + side * 0.34, y - 0.36 - moment.brow), 0.21, 0.045, -tilt, 0.03, look.hair)
    canvas.ellipse((x, y + 0.05), (0.08, 0.3), tuple(np.minimum(skin * 1.05, 255)), soft=0.6)
    canvas.ellipse((x, y + 0.34), (0.15, 0.045), tuple(skin * 0.6), soft=0.5)
    lips = (150, 60, 60)
    canvas.stroke((x, y + 0.60), 0.30, moment.mouth + 0.035, 0.0, -moment.smile, lips)
    canvas.stroke((x, y + 0.60), 0.25, moment.mouth, 0.0, -moment.smile, (45, 15, 20))
    return canvas.pixels()


def draw_empty(look: Look) -> NDArray[np.uint8]:
    """Picture of the wall alone, RGB [h, w, 3]."""
    return _Canvas(look.background).pixels()


class _Canvas:
    """Parts drawn over each other; the unit is half the height of a head, the origin the middle of the face."""

    def __init__(self, colour: Colour) -> None:
        unit = 0.36 * HEIGHT
        self._x = (np.arange(WIDTH, dtype=np.float32) - WIDTH / 2) / unit
        self._y = (np.arange(HEIGHT, dtype=np.float32) - 0.52 * HEIGHT) / unit
        self._picture = np.empty((HEIGHT, WIDTH, 3), dtype=np.float32)
        self._picture[:] = np.array(colour, dtype=np.float32) * np.linspace(1.1, 0.85, HEIGHT)[:, None, None]

    def ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], colour: Colour, soft: float | None = None
    ) -> None:
        """A filled ellipse; `soft` is the share of the radius over which it fades, instead of the usual edge."""
        part, x, y = self._part(centre, radii)
        distance = np.hypot(x / radii[0], y / radii[1])
        self._blend(part, (1 - distance) / (soft or _EDGE / min(radii)), colour)

    def stroke(
        self, centre: tuple[float, float], reach: float, thick: float, slope: float, bend: float, colour: Colour
    ) -> None:
        """A lens along a parabola: `slope` is its rise from centre to right end, `bend` that of both ends."""
        part, x, y = self._part(centre, (reach, thick + abs(slope) + abs(bend) + _EDGE))
        along = x / reach
        half = thick * np.sqrt(np.clip(1 - along**2, 0, 1))
        off = np.abs(y - slope * along + bend * (1 - 2 * along**2) / 2)
        self._blend(part, (half - off) / _EDGE + 0.5 * (half > 0), colour)

    def pixels(self) -> NDArray[np.uint8]:
        return np.clip(self._picture, 0, 255).astype(np.uint8)

    def _part(self, centre: tuple[float, float], reach: tuple[float, float]) -> tuple[Any, Any, Any]:
        """The pixels within reach of a point, and how far they lie to its right and below it."""
        left, right = np.searchsorted(self._x, (centre[0] - reach[0], centre[0] + reach[0]))
        top, bottom = np.searchsorted(self._y, (centre[1] - reach[1], centre[1] + reach[1]))
        x, y = self._x[left:right] - np.float32(centre[0]), self._y[top:bottom] - np.float32(centre[1])
        return np.s_[top:bottom, left:right], x[None, :], y[:, None]

    def _blend(self, part: Any, cover: NDArray[np.float32], colour: Colour) -> None:
        picture, share = self._picture[part], np.clip(cover, 0, 1).astype(np.float32)[:, :, None]
        picture += share * (np.array(colour, dtype=np.float32) - picture)
