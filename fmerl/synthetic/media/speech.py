"""Speech-like sound by a formant synthesiser, whose prosody follows valence, arousal and dominance.

A train of glottal pulses goes through resonators at the formants of the text's vowels (means of male speakers by
Peterson and Barney 1952); consonants are short noise. Pitch, its range, rate, loudness, spectral tilt and breath
follow the feeling in the directions that the literature agrees on (Scherer 2003, "Vocal communication of emotion").

Shapes: S samples.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

SAMPLING_RATE = 16000

_FORMANTS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "y": (390, 1990, 2550),
}
"""Formants in Hz."""
_BANDWIDTHS = (80, 110, 160)
_SYLLABLES_PER_SECOND = 5.0
_CONSONANT, _EDGES = 0.045, 0.12
"""Seconds of noise before a vowel, and of silence before and after all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """One person's voice at rest."""

    pitch: float
    """Fundamental frequency in Hz."""
    tract: float
    """Factor on all formants: above 1 for a short vocal tract."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Voice:
        """A person at random."""
        height = rng.uniform(-1, 1)
        return cls(pitch=155 * 2 ** (0.45 * height), tract=1.04 + 0.08 * height + 0.02 * rng.uniform(-1, 1))


def speak(text: str, voice: Voice, vad: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int16]:
    """A sentence at 16 kHz, [S]; one syllable per vowel group of the text.

    Args:
        text: Text with at least one vowel.
        voice: Voice of the speaker.
        vad: Valence, arousal, dominance in [-1, 1], [3].
        rng: Draws breath, consonants and small variations.
    """
    valence, arousal, dominance = (float(value) for value in vad)
    vowels = re.findall(r"[aeiouy]+", text.lower())
    pieces: list[NDArray[np.floating]] = [np.zeros(round(_EDGES * SAMPLING_RATE))]
    for place, vowel in enumerate(vowels):
        progress = place / max(len(vowels) - 1, 1)
        seconds = 2 ** (-0.6 * arousal + 0.15 * rng.standard_normal()) / _SYLLABLES_PER_SECOND
        # Joy rises and swings, sadness falls and is flat.
        swing = (2.5 + 2 * arousal) * np.sin(2.4 * place) + 3 * valence * (progress - 0.5) + 0.5 * rng.standard_normal()
        semitones = 5 * arousal - 1.5 * dominance + swing
        formants = np.array(_FORMANTS[vowel[0]]) * voice.tract * (1 + 0.05 * valence)
        sung = _vowel(seconds, voice.pitch * 2 ** (semitones / 12), formants, 0.15 - 0.1 * dominance, rng)
        pieces += [0.08 * (1 + 0.6 * arousal) * rng.standard_normal(round(_CONSONANT * SAMPLING_RATE)), sung]
    sound = np.concatenate([*pieces, np.zeros(round(_EDGES * SAMPLING_RATE))])
    # One pole: the less aroused and dominant, the steeper the spectrum falls.
    pole = np.clip(0.55 - 0.3 * arousal - 0.15 * dominance, 0, 0.9)
    sound = lfilter([1 - pole], [1, -pole], sound)
    decibels = -20 + 7 * arousal + 3 * dominance
    loud = np.sqrt(np.mean(sound**2))
    sound = np.tanh(sound / loud * 10 ** (decibels / 20)) + 1e-3 * rng.standard_normal(len(sound))
    samples: NDArray[np.int16] = np.clip(sound * 32767, -32768, 32767).astype(np.int16)
    return samples


def loudness(sound: NDArray[np.int16], times: NDArray[np.floating]) -> NDArray[np.floating]:
    """Loudness as root mean square around each of F moments, the loudest being 1, [F]."""
    half = SAMPLING_RATE // 25
    power = np.concatenate([[0], np.cumsum((sound / 32768) ** 2)])
    middle = np.clip((times * SAMPLING_RATE).astype(np.int64), 0, len(sound))
    low, high = np.maximum(middle - half, 0), np.minimum(middle + half, len(sound))
    rms = np.sqrt((power[high] - power[low]) / np.maximum(high - low, 1))
    return rms / max(float(rms.max()), 1e-9)


def _vowel(
    seconds: float, pitch: float, formants: NDArray[np.floating], breath: float, rng: np.random.Generator
) -> NDArray[np.floating]:
    """One syllable of unit power, faded in and out."""
    count = round(seconds * SAMPLING_RATE)
    jitter = 1 + 0.01 * rng.standard_normal(count)
    phase = np.cumsum(pitch * jitter / SAMPLING_RATE)
    source = np.diff(np.floor(phase), prepend=0) + breath * 0.3 * rng.standard_normal(count)
    sound = lfilter([1], [1, -0.9], source)
    for formant, bandwidth in zip(formants, _BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * bandwidth / SAMPLING_RATE)
        angle = 2 * np.pi * formant / SAMPLING_RATE
        sound = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], sound)
    faded = sound * np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 0.5
    unit: NDArray[np.floating] = faded / np.sqrt(np.mean(faded**2))
    return unit
