"""Speakers and emotions of a synthetic corpus; `fmerl.synthetic.corpus` has the equations.

Shapes: B dialogues, T turns of the longest, S speakers at most, U utterances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmerl.corpus.dialogue import SPLITS
from fmerl.synthetic.spec import SyntheticSpec

_KEEP_FLOOR = 0.2
# Sum of the beta distribution's parameters behind lengths and numbers of speakers; gives about MELD's spread of both.
_CONCENTRATION = 6.0
_MOST_DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Turns:
    """U turns, dialogue after dialogue."""

    dialogue: np.ndarray
    """Index of the dialogue [U]: train first, then validation, then test."""
    turn: np.ndarray
    """Turn index within the dialogue [U]."""
    speaker: np.ndarray
    """Speaker index within the dialogue [U]."""
    emotion: np.ndarray
    """Class index [U]."""
    latent: np.ndarray
    """Latent VAD [U, 3]."""


def draw_turns(spec: SyntheticSpec, seed: np.random.SeedSequence) -> Turns:
    """Draw all turns of a corpus.

    Raises:
        ValueError: A class is too rare to occur where it must.
    """
    lengths_rng, floor_rng, emotions_rng, moods_rng = (np.random.default_rng(part) for part in seed.spawn(4))
    lengths = _dialogue_lengths(spec, lengths_rng)
    spoken = np.arange(spec.longest) < lengths[:, None]
    speakers = _speakers(spec, floor_rng, spoken.shape)
    emotions = _covering_emotions(spec, emotions_rng, speakers, spoken)
    latent = np.array(spec.prototypes)[emotions] + _moods(spec, moods_rng, speakers)
    dialogue, turn = np.nonzero(spoken)
    return Turns(
        dialogue=dialogue, turn=turn, speaker=speakers[spoken], emotion=emotions[spoken], latent=latent[spoken]
    )


def _beta_binomial(rng: np.random.Generator, low: int, mean: float, high: int, size: int) -> np.ndarray:
    """Integers from low to high with the given mean, spread wider than a binomial's."""
    share = (mean - low) / (high - low) if high > low else 0.0
    if share in (0.0, 1.0):
        return np.full(size, round(mean))
    chances = rng.beta(_CONCENTRATION * share, _CONCENTRATION * (1 - share), size)
    return low + rng.binomial(high - low, chances)


def _dialogue_lengths(spec: SyntheticSpec, rng: np.random.Generator) -> np.ndarray:
    """Lengths [B] that sum to the spec's total, the longest of them being the spec's if it fits."""
    total, count = spec.total_utterances(), sum(spec.dialogues_per_split())
    lengths = _beta_binomial(rng, 1, total / count, spec.longest, count)
    peak = lengths.argmax()
    lengths[peak] = min(spec.longest, total - count + 1)
    while gap := total - int(lengths.sum()):
        step = 1 if gap > 0 else -1
        room = (lengths + step >= 1) & (lengths + step <= spec.longest)
        room[peak] = False
        lengths[rng.permutation(np.flatnonzero(room))[: abs(gap)]] += step
    return lengths


def _speakers(spec: SyntheticSpec, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Speaker indices [B, T]."""
    count = _beta_binomial(rng, spec.min_speakers, spec.mean_speakers, spec.max_speakers, shape[0])
    keeps = rng.random(shape) < _KEEP_FLOOR
    # Steps from 1 to count - 1 around the circle of speakers reach each of the others alike.
    steps = np.where(keeps, 0, 1 + rng.random(shape) * (count[:, None] - 1)).astype(np.int64)
    steps[:, 0] = 0
    return steps.cumsum(axis=1) % count[:, None]


def _covering_emotions(
    spec: SyntheticSpec, rng: np.random.Generator, speakers: np.ndarray, spoken: np.ndarray
) -> np.ndarray:
    """Class indices [B, T] with every class in train and the unseen one in test."""
    train, validation, _ = spec.dialogues_per_split()
    unseen = set() if spec.unseen_class is None else {spec.classes.index(spec.unseen_class)}
    for _ in range(_MOST_DRAWS):
        emotions = _emotions(spec, rng, speakers)
        in_train = set(emotions[:train][spoken[:train]].tolist())
        in_test = set(emotions[train + validation :][spoken[train + validation :]].tolist())
        if len(in_train) == len(spec.classes) and unseen <= in_test:
            return emotions
    raise ValueError(f"{spec.name}: a class of {SPLITS[0]} or the unseen class is too rare; raise scale")


def _emotions(spec: SyntheticSpec, rng: np.random.Generator, speakers: np.ndarray) -> np.ndarray:
    prior = np.array(spec.class_counts) / sum(spec.class_counts)
    emotions = rng.choice(len(prior), size=speakers.shape, p=prior)
    source = rng.random(speakers.shape)
    stays = source < spec.inertia
    follows = ~stays & (source < spec.inertia + spec.contagion)
    every = np.arange(len(speakers))
    own = np.full((len(speakers), spec.max_speakers), -1)
    for turn, speaker in enumerate(speakers.T):
        last = own[every, speaker]
        emotions[:, turn] = np.where(stays[:, turn] & (last >= 0), last, emotions[:, turn])
        if turn > 0:
            emotions[:, turn] = np.where(follows[:, turn], emotions[:, turn - 1], emotions[:, turn])
        own[every, speaker] = emotions[:, turn]
    return emotions


def _moods(spec: SyntheticSpec, rng: np.random.Generator, speakers: np.ndarray) -> np.ndarray:
    """Moods [B, T, 3], a stationary AR(1) process over each speaker's own turns."""
    moods = np.empty((*speakers.shape, 3))
    every = np.arange(len(speakers))
    own = rng.standard_normal((len(speakers), spec.max_speakers, 3))
    for turn, speaker in enumerate(speakers.T):
        news = rng.standard_normal((len(speakers), 3))
        own[every, speaker] = spec.mood_persistence * own[every, speaker] + np.sqrt(1 - spec.mood_persistence**2) * news
        moods[:, turn] = spec.mood_spread * own[every, speaker]
    return moods
