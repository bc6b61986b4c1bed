"""Settings of a corpus of synthetic raw media."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from fmerl.synthetic.spec import SMALLEST_DIALOGUES, ModalitySpec, SyntheticSpec

Layout = Literal["clips", "dialogues"]

_TURNS, _LONGEST = 6, 10

_SHAPE = SyntheticSpec(
    name="synthetic-media",
    classes=("neutral", "joy", "sadness", "anger", "fear"),
    class_counts=(6, 5, 4, 5, 4),
    prototypes=((0.0, 0.0, 0.0), (0.76, 0.48, 0.35), (-0.63, -0.27, -0.33), (-0.51, 0.59, 0.25), (-0.64, 0.60, -0.43)),
    vad_range=(0.0, 5.0),
    dialogues=(16, 4, 4),
    utterances=24 * _TURNS,
    longest=_LONGEST,
    unseen_class="fear",
    text=ModalitySpec(width=1, loading=(1.0, 0.7, 0.8), expression_noise=0.3),
    audio=ModalitySpec(width=1, loading=(0.7, 1.0, 0.9), expression_noise=0.2),
    visual=ModalitySpec(width=1, loading=(1.0, 0.8, 0.7), expression_noise=0.2),
)
"""Conversations with the prototypes of `fmerl.synthetic.spec`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaSpec:
    """Dialogues of two speakers, about six turns each, in five emotions.

    Example:
        >>> MediaSpec(dialogues=24).turns().dialogues_per_split()
        (16, 4, 4)
    """

    dialogues: int = 24
    """Number of dialogues, a sixth of them for validation, a sixth for test."""
    layout: Layout = "clips"
    """A video per utterance, as in MELD, or a video per dialogue with both speakers side by side and a wav per
    utterance, as in IEMOCAP."""
    faults: bool = False
    """Spoil one utterance in each way of `fmerl.synthetic.media.faults`."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dialogues < sum(SMALLEST_DIALOGUES):
            raise ValueError(f"dialogues must be at least {sum(SMALLEST_DIALOGUES)}, not {self.dialogues}")
        if self.layout not in get_args(Layout):
            raise ValueError(f"layout must be one of {', '.join(get_args(Layout))}, not {self.layout!r}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, but is {self.seed}")

    def turns(self) -> SyntheticSpec:
        """Spec of the conversations behind the media; loadings and noise decide what each modality shows."""
        held_out = max(SMALLEST_DIALOGUES[1], round(self.dialogues / 6))
        split = (self.dialogues - 2 * held_out, held_out, held_out)
        return replace(_SHAPE, dialogues=split, utterances=_TURNS * self.dialogues, seed=self.seed)
