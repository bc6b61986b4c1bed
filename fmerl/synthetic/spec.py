"""Settings of a synthetic corpus, and the two shapes that mirror IEMOCAP and MELD."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from fmerl.config import DIMENSIONS, MODALITIES
from fmerl.corpus.dialogue import SPLITS

GENERATOR_VERSION = 2
"""Part of `SyntheticSpec.digest`; raised whenever the same spec comes to mean other numbers."""

SMALLEST_DIALOGUES = (4, 2, 2)
"""Fewest dialogues in train, validation and test at any scale."""


@dataclass(frozen=True, kw_only=True)
class ModalitySpec:
    """One modality's view of an utterance. Noise and weights are in units of the latent VAD scale."""

    width: int
    """Feature width D."""
    loading: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Weight of latent valence, arousal and dominance; 0 hides the dimension."""
    class_signal: float = 0.0
    """Weight of the class's own direction, beside what its VAD says."""
    expression_noise: float = 0.6
    """Standard deviation added to every VAD and class factor: how faithfully the speaker shows the
    emotion here. Independent of `width`, so this sets the difficulty."""
    voice: float = 0.5
    """Weight of the speaker's nuisance factors."""
    sensor_noise: float = 0.3
    """Standard deviation of the isotropic noise per feature."""
    missing_rate: float = 0.0
    """Share of utterances without this modality, in [0, 1)."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be at least 1, not {self.width}")
        if len(self.loading) != len(DIMENSIONS):
            raise ValueError(f"loading must have {len(DIMENSIONS)} weights, not {self.loading!r}")
        if min(self.class_signal, self.expression_noise, self.voice, self.sensor_noise) < 0:
            raise ValueError("class_signal, expression_noise, voice and sensor_noise must not be negative")
        if not 0 <= self.missing_rate < 1:
            raise ValueError(f"missing_rate must be in [0, 1), not {self.missing_rate}")


@dataclass(frozen=True, kw_only=True)
class SyntheticSpec:
    """A synthetic corpus; `fmerl.synthetic.corpus` explains its numbers.

    Example:
        >>> from dataclasses import replace
        >>> replace(MELD_SHAPE, scale=0.05, seed=1).dialogues_per_split()
        (52, 6, 14)
    """

    name: str
    classes: tuple[str, ...]
    """Names in label order."""
    class_counts: tuple[int, ...]
    """Frequency of each class, up to a factor: the prior."""
    prototypes: tuple[tuple[float, float, float], ...]
    """Valence, arousal, dominance of each class, in [-1, 1]."""
    vad_range: tuple[float, float]
    """Range that [-1, 1] is mapped to in annotations."""
    dialogues: tuple[int, int, int]
    """Dialogues in train, validation and test, at scale 1."""
    utterances: int
    """Utterances in all splits together, at scale 1."""
    longest: int
    """Utterances of the longest dialogue."""
    min_speakers: int = 2
    mean_speakers: float = 2.0
    max_speakers: int = 2
    """Most speakers per dialogue; short dialogues may end before all have spoken."""
    text: ModalitySpec
    audio: ModalitySpec
    visual: ModalitySpec
    unseen_class: str | None = None
    inertia: float = 0.5
    """Probability that a speaker stays in the class of their last turn."""
    contagion: float = 0.15
    """Probability that a speaker takes over the class of the previous turn."""
    mood_persistence: float = 0.8
    """Correlation of a speaker's mood from one of their turns to the next, in [0, 1)."""
    mood_spread: float = 0.15
    """Standard deviation of the mood around the class's prototype."""
    annotator_noise: float = 0.15
    """Standard deviation of annotated around latent VAD, before clipping."""
    scale: float = 1.0
    """Factor on the number of dialogues (down to `SMALLEST_DIALOGUES`)."""
    seed: int = 0

    def __post_init__(self) -> None:
        per_class = {len(self.classes), len(self.class_counts), len(self.prototypes)}
        if per_class != {len(set(self.classes))} or len(self.classes) < 2:
            raise ValueError("classes must be two or more distinct names with one count and one prototype each")
        if min(self.class_counts) < 1:
            raise ValueError(f"class_counts must be positive, not {self.class_counts!r}")
        if any(len(point) != len(DIMENSIONS) or max(map(abs, point)) > 1 for point in self.prototypes):
            raise ValueError("prototypes must be three numbers in [-1, 1] each")
        if self.unseen_class is not None and self.unseen_class not in self.classes:
            raise ValueError(f"unseen_class must be one of {', '.join(self.classes)}, not {self.unseen_class!r}")
        if not self.vad_range[0] < self.vad_range[1]:
            raise ValueError(f"vad_range must rise, not {self.vad_range!r}")
        if len(self.dialogues) != len(SPLITS) or any(np.less(self.dialogues, SMALLEST_DIALOGUES)):
            raise ValueError(f"dialogues must be at least {SMALLEST_DIALOGUES}, not {self.dialogues!r}")
        if not 1 < self.utterances / sum(self.dialogues) < self.longest:
            raise ValueError(f"the mean dialogue length must lie between 1 and longest ({self.longest})")
        if not 1 <= self.min_speakers <= self.mean_speakers <= self.max_speakers:
            raise ValueError("min_speakers, mean_speakers and max_speakers must rise from 1")
        if min(self.inertia, self.contagion) < 0 or self.inertia + self.contagion >= 1:
            raise ValueError("inertia and contagion must not be negative and sum to less than 1")
        if not 0 <= self.mood_persistence < 1:
            raise ValueError(f"mood_persistence must be in [0, 1), not {self.mood_persistence}")
        if min(self.mood_spread, self.annotator_noise) < 0:
            raise ValueError("mood_spread and annotator_noise must not be negative")
        if self.scale <= 0 or self.seed < 0:
            raise ValueError("scale must be positive and seed not negative")

    @property
    def modalities(self) -> dict[str, ModalitySpec]:
        return {name: getattr(self, name) for name in MODALITIES}

    def dialogues_per_split(self) -> tuple[int, int, int]:
        """Scaled numbers of dialogues in train, validation and test."""
        train, validation, test = (
            max(least, round(self.scale * count))
            for count, least in zip(self.dialogues, SMALLEST_DIALOGUES, strict=True)
        )
        return train, validation, test

    def total_utterances(self) -> int:
        """U: the mean dialogue length kept at any scale."""
        return round(self.utterances / sum(self.dialogues) * sum(self.dialogues_per_split()))

    def digest(self) -> str:
        """SHA-256 over the spec and the generator's version: equal digests, equal corpora."""
        content = [GENERATOR_VERSION, asdict(self)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# Pleasure, arousal and dominance as commonly cited from Russell and Mehrabian (1977), "Evidence for a three-factor
# theory of emotions", terms Happy, Joyful, Sad, Angry, Excited, Frustrated, Surprised, Fearful and Disgusted.
# Neutral, which they do not list, is the origin.
_HAPPY = (0.81, 0.51, 0.46)
_JOYFUL = (0.76, 0.48, 0.35)
_SAD = (-0.63, -0.27, -0.33)
_ANGRY = (-0.51, 0.59, 0.25)
_EXCITED = (0.62, 0.75, 0.38)
_FRUSTRATED = (-0.64, 0.52, 0.35)
_SURPRISED = (0.40, 0.67, -0.13)
_FEARFUL = (-0.64, 0.60, -0.43)
_DISGUSTED = (-0.60, 0.35, 0.11)
_NEUTRAL = (0.0, 0.0, 0.0)

IEMOCAP_SHAPE = SyntheticSpec(
    name="synthetic-iemocap",
    classes=("happy", "sad", "neutral", "angry", "excited", "frustrated"),
    class_counts=(648, 1084, 1708, 1103, 1041, 1849),
    prototypes=(_HAPPY, _SAD, _NEUTRAL, _ANGRY, _EXCITED, _FRUSTRATED),
    vad_range=(1.0, 5.0),
    dialogues=(108, 12, 31),
    utterances=7_433,
    longest=110,
    unseen_class="happy",
    text=ModalitySpec(width=1024, loading=(1.0, 0.5, 0.7), class_signal=0.5, expression_noise=0.6),
    audio=ModalitySpec(width=1582, loading=(0.5, 1.0, 0.7), class_signal=0.3, expression_noise=0.6),
    visual=ModalitySpec(width=342, loading=(0.7, 0.7, 0.5), class_signal=0.3, expression_noise=0.75, missing_rate=0.05),
)
"""IEMOCAP's splits, lengths, classes and widths: 7,433 utterances in 151 dialogues of two speakers."""

MELD_SHAPE = SyntheticSpec(
    name="synthetic-meld",
    classes=("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
    class_counts=(6436, 1636, 358, 1002, 2308, 361, 1607),
    prototypes=(_NEUTRAL, _SURPRISED, _FEARFUL, _SAD, _JOYFUL, _DISGUSTED, _ANGRY),
    vad_range=(0.0, 5.0),
    dialogues=(1038, 114, 280),
    utterances=13_708,
    longest=33,
    min_speakers=2,
    mean_speakers=2.9,
    max_speakers=9,
    unseen_class="fear",
    inertia=0.4,
    contagion=0.15,
    text=ModalitySpec(width=1024, loading=(1.0, 0.5, 0.7), class_signal=0.5, expression_noise=0.6),
    audio=ModalitySpec(width=300, loading=(0.5, 1.0, 0.7), class_signal=0.3, expression_noise=0.6),
    visual=ModalitySpec(width=342, loading=(0.7, 0.7, 0.5), class_signal=0.3, expression_noise=0.75, missing_rate=0.05),
)
"""MELD's splits, lengths, classes and widths: 13,708 utterances in 1,432 dialogues of up to nine speakers.

Emotions persist more than in MELD (a speaker keeps the class of their last turn in 62% of turns, in MELD in 45%),
so that a context model has something to find in small runs.
"""

SHAPES = {spec.name: spec for spec in (IEMOCAP_SHAPE, MELD_SHAPE)}
"""Shapes by name."""
