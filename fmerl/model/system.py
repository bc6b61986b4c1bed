"""Interface of a model to training and evaluation: FMERL, or a system it is compared with.

Shapes: N utterances of B dialogues (packed, see `fmerl.model.batch.Batch`), C classes, D_m width of modality m.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.batch import Batch


@dataclass(frozen=True, kw_only=True)
class ModelInputs:
    """Shape of the training data that a model is built for, and the anchors."""

    widths: Mapping[str, int]
    """Width of each feature table that is read: D_m of a modality, R E of knowledge (`fmerl.model.knowledge`)."""
    n_speakers: int
    """Embedded speakers per dialogue."""
    anchors: Tensor
    """Encoded descriptions in label order, [C, E]."""
    vad_range: tuple[float, float]
    """Range of the scores in batches."""
    train_counts: Sequence[int]
    """Training utterances per class, [C]; a class of 0 is unseen."""


class Losses(NamedTuple):
    """Total loss, which is minimised, and FMERL's parts of it, each a scalar; a system without a part gives 0."""

    total: Tensor
    mse: Tensor
    contrastive: Tensor
    negative: Tensor


class System(nn.Module, ABC):
    """A model that scores every class for every utterance of a batch.

    `forward` gives a NamedTuple of tensors whose first axis is the batch's N utterances, one of them `scores` [N, C]
    whose argmax is the prediction; `loss` uses that and the batch, and nothing that differs between the two halves of
    a batch split over processes.

    Args:
        config: The cell's configuration.
        inputs: Shape of the training data, and the anchors.
    """

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def forward(self, batch: Batch) -> Any: ...

    @abstractmethod
    def loss(self, output: Any, batch: Batch) -> Losses:
        """Losses over the utterances that have a target."""

    @abstractmethod
    def vad_scores(self, output: Any) -> Tensor:
        """Valence, arousal and dominance in the labels' range, NaN where the system predicts none, [N, 3]."""

    @abstractmethod
    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        """Fit input statistics on the training split: [U, D_m] values and [U] missing flags by modality."""
