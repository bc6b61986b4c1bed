"""Discrete form of emotion: alignment with the anchors e_c, the encoded emotion descriptions (Eq. 5 to 11).

Shapes: N utterances, C classes, D width of the representation, E width of the anchors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fmerl.config import ContrastiveConfig


class TripleLoss(NamedTuple):
    """L_tri = contrastive + lambda_neg * negative (Eq. 9)."""

    contrastive: Tensor
    """L1, Eq. 5."""
    negative: Tensor
    """L2, Eq. 7."""


class DescriptionAlignment(nn.Module):
    """Cosine of each utterance's f_i with each class's frozen anchor.

    Args:
        config: Switches of the losses.
        width: D.
        anchors: Encoded descriptions in label order, [C, E]; a Linear D -> E is learned when E is not D.
        train_counts: Training utterances per class, [C]; a class of 0 is unseen: it can be predicted, but is neither
            candidate nor negative in the losses, which would push every utterance away from it.
    """

    anchors: Tensor
    seen: Tensor
    class_weight: Tensor

    def __init__(self, config: ContrastiveConfig, width: int, anchors: Tensor, train_counts: Sequence[int]) -> None:
        super().__init__()
        self.config = config
        counts = torch.as_tensor(train_counts, dtype=torch.float)
        seen = counts > 0
        if config.center_anchors:
            anchors = anchors - anchors[seen].mean(0)
        self.register_buffer("anchors", F.normalize(anchors.float(), dim=1))
        self.register_buffer("seen", seen)
        frequency = counts / counts.sum()
        inverse = torch.where(seen, 1 / frequency.clamp(min=1e-12), 0.0)
        self.register_buffer("class_weight", inverse if config.class_weights == "inverse_frequency" else seen.float())
        same_width = anchors.shape[1] == width
        self.to_anchor_space = nn.Identity() if same_width else nn.Linear(width, anchors.shape[1])
        log_temperature = torch.tensor(math.log(config.temperature))
        if config.learn_temperature:
            self.log_temperature = nn.Parameter(log_temperature)
        else:
            self.register_buffer("log_temperature", log_temperature)

    def forward(self, representation: Tensor) -> Tensor:
        """cos(f_i, e_c) (Eq. 6 and 8), [N, D] -> [N, C]; its argmax is the prediction (Eq. 11)."""
        return F.normalize(self.to_anchor_space(representation), dim=1) @ self.anchors.T

    def loss(self, cosine: Tensor, label: Tensor, valid: Tensor) -> TripleLoss:
        """L1 and L2 (Eq. 5 and 7) over the utterances that have a target.

        Args:
            cosine: From `forward`, [N, C].
            label: Class indices, [N]; anything where `valid` is False.
            valid: True for utterances with a target, [N].
        """
        # Masked, not selected, so that no step waits for a GPU to tell how many there are.
        label = label.where(valid, 0)
        counts = (F.one_hot(label, cosine.shape[1]) * valid.unsqueeze(1)).sum(0).to(cosine)
        return TripleLoss(self._contrastive(cosine, label, counts, valid), self._negative(cosine, label, counts, valid))

    def _contrastive(self, cosine: Tensor, label: Tensor, counts: Tensor, valid: Tensor) -> Tensor:
        logits = (cosine / self.log_temperature.exp()).masked_fill(~self.seen, float("-inf"))
        if self.config.candidates != "unique":
            # The softmax over the batch's anchors groups by class: sum_j exp S_ij = sum_c n_c exp S_ic. Without any
            # target all classes stand in, so that the loss is zero and not NaN.
            logits = logits + counts.where(valid.any(), 1).log()
        per_utterance = F.cross_entropy(logits, label, reduction="none")
        if self.config.candidates == "in_batch":
            # Only the utterance's own copy of its anchor is the positive, not all n_c of them.
            per_utterance = per_utterance + counts.log()[label]
        weight = self.class_weight[label] * valid
        total = (per_utterance.where(valid, 0) * weight).sum()
        return total if self.config.reduction == "sum" else total / weight.sum().clamp(min=1e-12)

    def _negative(self, cosine: Tensor, label: Tensor, counts: Tensor, valid: Tensor) -> Tensor:
        others = self.seen.to(cosine).expand_as(cosine).scatter(1, label.unsqueeze(1), 0.0) * valid.unsqueeze(1)
        if self.config.negatives == "in_batch":
            others = others * counts
        total = ((1 + cosine) * others).sum()
        if self.config.negatives == "classes_per_utterance":
            return total / valid.sum().clamp(min=1)
        return total / others.sum().clamp(min=1)
