"""EACL: emotion-anchored contrastive learning (Yu et al. 2024), on SDT's backbone.

With SSLCL the control of FMERL's claim: anchors too, but of bare class names and learned, without descriptions or
scores. Shapes: N utterances, C classes, D width, E width of the anchors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fmerl.config import CellConfig
from fmerl.model.backbone import Backbone
from fmerl.model.baselines.classifier import ClosedSetSystem, closed_set_losses
from fmerl.model.baselines.losses import supervised_contrastive
from fmerl.model.batch import Batch
from fmerl.model.layers import Dropout
from fmerl.model.system import Losses, ModelInputs


class EACLOutput(NamedTuple):
    """Output for N utterances."""

    scores: Tensor
    """Cosine with each class's anchor over the temperature, [N, C]."""
    projected: Tensor
    """Representations from the network shared with the anchors, [N, D]."""


class EACL(ClosedSetSystem):
    """Utterances and encoded class names through one network; a class's anchor is one more example of it.

    The paper adapts the anchors in a second stage with the encoder frozen; here they learn to classify, by the
    cross-entropy over their cosines, in the same stage, so that every system has one.
    """

    anchors: Tensor

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width, anchor_width = config.backbone.hidden, inputs.anchors.shape[1]
        self.backbone = Backbone(config.backbone, inputs.widths, inputs.n_speakers)
        self.register_buffer("anchors", F.normalize(inputs.anchors, dim=1))
        self.from_anchor_space = nn.Identity() if anchor_width == width else nn.Linear(anchor_width, width)
        self.shared = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), Dropout(config.backbone.dropout), nn.Linear(width, width)
        )

    def forward(self, batch: Batch) -> EACLOutput:
        projected = self.shared(self.backbone(batch))
        cosine = F.normalize(projected, dim=1) @ F.normalize(self._projected_anchors(), dim=1).T
        return EACLOutput(self.classes(cosine / self.config.system.eacl.temperature), projected)

    def _projected_anchors(self) -> Tensor:
        return self.shared(self.from_anchor_space(self.anchors))

    def loss(self, output: EACLOutput, batch: Batch) -> Losses:
        known, system, seen = batch.label >= 0, self.config.system, self.classes.seen
        label, anchors = batch.label[known], self._projected_anchors()[seen]
        contrastive = supervised_contrastive(
            torch.cat([output.projected[known], anchors]),
            torch.cat([label, seen.nonzero().squeeze(1)]),
            system.eacl.temperature,
        )
        entropy = self.classes.cross_entropy(output.scores[known], label)
        total = contrastive + system.eacl.cross_entropy_weight * entropy - system.eacl.angle_weight * _angle(anchors)
        return closed_set_losses(total, contrastive)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.backbone.fit_statistics(features, missing)


def _angle(anchors: Tensor) -> Tensor:
    """Mean over anchors of the angle to the nearest other one, in radians; 0 of a single anchor."""
    if len(anchors) < 2:
        return anchors.sum() * 0
    unit = F.normalize(anchors, dim=1)
    cosine = (unit @ unit.T).masked_fill(torch.eye(len(unit), dtype=torch.bool, device=unit.device), -1.0)
    return cosine.max(1).values.clamp(-1 + 1e-6, 1 - 1e-6).acos().mean()
