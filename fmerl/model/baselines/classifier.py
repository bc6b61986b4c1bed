"""Parts shared by the compared systems, which know only the classes they were trained on, and no VAD scores.

Shapes: N utterances, C classes, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fmerl.config import DIMENSIONS, CellConfig, SystemConfig
from fmerl.model.batch import Batch
from fmerl.model.system import Losses, ModelInputs, System

UNSEEN = -1e4
"""Logit of a class without training utterances: no probability, so it takes no part in a loss and is never predicted.
Finite, because infinities would turn a Kullback-Leibler divergence into NaN."""


class Scores(NamedTuple):
    """Output of a plain classifier for N utterances."""

    scores: Tensor
    """Logits, [N, C]."""


class SeenClasses(nn.Module):
    """Classes of the training split: a mask on the logits, and a weight per class.

    Args:
        config: Choice of the class weights.
        train_counts: Training utterances per class, [C].
    """

    seen: Tensor
    weight: Tensor

    def __init__(self, config: SystemConfig, train_counts: Sequence[int]) -> None:
        super().__init__()
        counts = torch.tensor(train_counts, dtype=torch.float32)
        inverse = torch.where(counts > 0, counts.sum() / counts.clamp(min=1), 0.0)
        self.register_buffer("seen", counts > 0)
        self.register_buffer("weight", inverse if config.class_weights == "inverse_frequency" else (counts > 0).float())

    def forward(self, logits: Tensor) -> Tensor:
        """Logits with `UNSEEN` for every unseen class, [..., C]."""
        return logits.masked_fill(~self.seen, UNSEEN)

    def cross_entropy(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy, a weighted mean over utterances, all with a target; 0 of none."""
        if not len(label):
            return logits.sum()
        return F.cross_entropy(logits, label, self.weight)


class ClosedSetSystem(System):
    """A system without valence, arousal and dominance; its loss, unless it has its own, is the cross-entropy."""

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        self.classes = SeenClasses(config.system, inputs.train_counts)

    def loss(self, output: Any, batch: Batch) -> Losses:
        known = batch.label >= 0
        return closed_set_losses(self.classes.cross_entropy(output.scores[known], batch.label[known]))

    def vad_scores(self, output: Any) -> Tensor:
        return output.scores.new_full((len(output.scores), len(DIMENSIONS)), float("nan"))


def closed_set_losses(total: Tensor, contrastive: Tensor | None = None) -> Losses:
    """Losses of a system that has no regression and no negative part."""
    zero = total.detach().new_zeros(())
    return Losses(total, zero, zero if contrastive is None else contrastive, zero)
