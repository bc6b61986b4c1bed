"""Sentences from a small lexicon, whose words follow valence, arousal and dominance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Valence, arousal, dominance in [-1, 1], by the author's own judgement.
_FEELINGS = {
    "wonderful": (0.9, 0.5, 0.5),
    "thrilling": (0.7, 0.9, 0.4),
    "lovely": (0.8, 0.1, 0.3),
    "funny": (0.7, 0.5, 0.2),
    "amazing": (0.7, 0.8, 0.0),
    "sudden": (0.2, 0.7, -0.3),
    "calm": (0.5, -0.6, 0.3),
    "usual": (0.0, -0.3, 0.1),
    "ordinary": (0.0, -0.2, 0.0),
    "plain": (0.0, -0.1, 0.1),
    "gloomy": (-0.6, -0.4, -0.4),
    "lonely": (-0.7, -0.3, -0.5),
    "hopeless": (-0.8, -0.2, -0.6),
    "tiring": (-0.4, -0.6, -0.3),
    "scary": (-0.6, 0.6, -0.6),
    "dangerous": (-0.6, 0.7, -0.4),
    "terrifying": (-0.8, 0.9, -0.7),
    "outrageous": (-0.6, 0.8, 0.5),
    "unfair": (-0.6, 0.4, 0.3),
    "stupid": (-0.6, 0.5, 0.5),
    "awful": (-0.8, 0.4, 0.0),
}
_OPENERS = {
    "Oh yes,": (0.7, 0.5, 0.4),
    "Wow,": (0.5, 0.8, -0.1),
    "Well,": (0.0, -0.1, 0.1),
    "So,": (0.0, 0.0, 0.1),
    "Oh no,": (-0.6, 0.5, -0.5),
    "Alas,": (-0.6, -0.4, -0.4),
    "Enough,": (-0.6, 0.6, 0.6),
}
_SUBJECTS = ("the letter", "this house", "my sister", "the party", "your plan", "that game", "the news", "his car")
_TEMPERATURE = 0.12


def sentence(vad: NDArray[np.floating], rng: np.random.Generator) -> str:
    """Draw a sentence whose opener and adjective are near a feeling; its subject says nothing.

    Args:
        vad: Valence, arousal, dominance in [-1, 1], [3].
        rng: Draws the words, near ones more often: exp(-squared distance / temperature).
    """
    subject = _SUBJECTS[rng.integers(len(_SUBJECTS))]
    return f"{_near(_OPENERS, vad, rng)} {subject} is {_near(_FEELINGS, vad, rng)}."


def _near(words: dict[str, tuple[float, float, float]], vad: NDArray[np.floating], rng: np.random.Generator) -> str:
    distance = ((np.array(list(words.values())) - vad) ** 2).sum(axis=1)
    chance = np.exp((distance.min() - distance) / _TEMPERATURE)
    return list(words)[rng.choice(len(words), p=chance / chance.sum())]
