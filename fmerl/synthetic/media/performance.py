"""Sound and look of one utterance, moment by moment.

Shapes: S samples, F frames, h x w pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmerl.synthetic.media.face import Look, draw_empty, draw_face, pose
from fmerl.synthetic.media.files import FRAME_RATE
from fmerl.synthetic.media.speech import SAMPLING_RATE, Voice, loudness, speak
from fmerl.synthetic.media.words import sentence

_BLINKS = 0.04
"""Share of frames with closed eyes."""
_SWAY = 0.04


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One speaker of one dialogue."""

    voice: Voice
    look: Look


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """Sound and look of an utterance."""

    person: Person
    text: str
    sound: NDArray[np.int16]
    """Samples, [S]."""
    face: NDArray[np.floating]
    """Valence, arousal, dominance that the face shows, [3]."""

    @property
    def frames(self) -> int:
        """Number of frames F: the picture lasts as long as the sound, up to a frame."""
        return -(-len(self.sound) * FRAME_RATE // SAMPLING_RATE)


def perform(person: Person, shown: dict[str, NDArray[np.floating]], rng: np.random.Generator) -> Performance:
    """Words and speech of an utterance.

    Args:
        person: The speaker.
        shown: Valence, arousal, dominance in [-1, 1] that each modality shows, [3] each.
        rng: Draws all else.
    """
    text = sentence(shown["text"], rng)
    sound = speak(text, person.voice, shown["audio"], rng)
    return Performance(person=person, text=text, sound=sound, face=shown["visual"])


def speaking(performance: Performance, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """F pictures [h, w, 3] of the speaker."""
    voice = loudness(performance.sound, (np.arange(performance.frames) + 0.5) / FRAME_RATE)
    return _faces(performance.person.look, performance.face, voice, rng)


def listening(person: Person, frames: int, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Pictures of someone who is silent and shows nothing."""
    return _faces(person.look, np.zeros(3), np.zeros(frames), rng)


def absent(person: Person, frames: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures of the place where the person is not."""
    wall = draw_empty(person.look)
    return (wall for _ in range(frames))


def _faces(
    look: Look, vad: NDArray[np.floating], voice: NDArray[np.floating], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    begin, speed = rng.uniform(0, 2 * np.pi, size=2), rng.uniform(0.1, 0.25, size=2)
    blinks = rng.random(len(voice)) < _BLINKS
    for frame, loud in enumerate(voice):
        x, y = _SWAY * np.sin(begin + speed * frame)
        yield draw_face(look, pose(vad, voice=float(loud), sway=(x, y), blinks=bool(blinks[frame])))
