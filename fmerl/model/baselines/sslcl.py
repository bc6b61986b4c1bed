"""SSLCL: supervised sample-label contrastive learning (Shi et al. 2023), on SDT's backbone.

Shapes: N utterances, V views of each (the fused representation, then each modality's stream), C classes, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.backbone import Backbone
from fmerl.model.baselines.classifier import ClosedSetSystem, closed_set_losses
from fmerl.model.baselines.losses import soft_hgr
from fmerl.model.batch import Batch
from fmerl.model.layers import Dropout
from fmerl.model.system import Losses, ModelInputs


class SSLCLOutput(NamedTuple):
    """Output for N utterances."""

    scores: Tensor
    """Product of the fused representation with each label's embedding, [N, C]."""
    views: Tensor
    """Every view in the space of the labels, [N, V, D]."""


class SSLCL(ClosedSetSystem):
    """Labels have learned embeddings; an utterance is drawn to its own and away from the others.

    The modalities' streams are further examples of the utterance's class, as the paper uses them. Its similarity is
    Soft-HGR, whose pair term is the product taken here as a score; its whitening term is a loss of its own.
    """

    one_hot: Tensor

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width, classes = config.backbone.hidden, len(inputs.train_counts)
        self.backbone = Backbone(config.backbone, inputs.widths, inputs.n_speakers)
        self.sample = nn.Sequential(nn.Linear(width, width), nn.ReLU(), Dropout(config.backbone.dropout))
        self.sample_out = nn.Linear(width, width)
        self.label = nn.Sequential(nn.Linear(classes, width), nn.ReLU(), nn.Linear(width, width))
        self.register_buffer("one_hot", torch.eye(classes))

    def forward(self, batch: Batch) -> SSLCLOutput:
        streams = self.backbone.streams(batch)
        fused = self.backbone.fuse(streams)
        views = torch.stack([fused, *streams] if len(streams) > 1 else [fused], dim=1)
        views = self.sample_out(self.sample(views))
        return SSLCLOutput(self._scores(views[:, 0]), views)

    def _scores(self, view: Tensor) -> Tensor:
        return self.classes(view @ self.label(self.one_hot).T)

    def loss(self, output: SSLCLOutput, batch: Batch) -> Losses:
        known = batch.label >= 0
        label = batch.label[known]
        embedded = self.label(self.one_hot)[label]
        contrastive, correlation = [], []
        for view in output.views[known].unbind(1):
            contrastive.append(self.classes.cross_entropy(self._scores(view), label))
            correlation.append(soft_hgr(view, embedded))
        contrast = torch.stack(contrastive).mean()
        weight = self.config.system.sslcl.correlation_weight
        return closed_set_losses(contrast - weight * torch.stack(correlation).mean(), contrast)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.backbone.fit_statistics(features, missing)
