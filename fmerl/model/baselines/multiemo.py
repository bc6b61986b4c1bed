"""MultiEMO: attention-based correlation-aware multimodal fusion (Shi and Huang 2023).

Shapes: N utterances, M modalities, C classes, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem, closed_set_losses
from fmerl.model.baselines.dialogue_rnn import DialogueEncoder
from fmerl.model.baselines.losses import soft_hgr, supervised_contrastive
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.layers import Dropout
from fmerl.model.sequences import attend
from fmerl.model.system import Losses, ModelInputs


class MultiEMOOutput(NamedTuple):
    """Output for N utterances."""

    scores: Tensor
    """Logits, [N, C]."""
    fused: Tensor
    """Representations that the contrastive loss compares, [N, D]."""
    streams: Tensor
    """Each modality after attention to the others, [N, M, D]."""


class CrossAttention(nn.Module):
    """Attention of one modality to another within a dialogue, [N, D] twice -> [N, D]; residual, then LayerNorm."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, target: Tensor, source: Tensor, batch: Batch) -> Tensor:
        key, value = self.key_value(source).chunk(2, dim=1)
        attended = attend(self.query(target), key, value, batch, heads=self.heads)
        return self.norm(target + self.dropout(self.out(attended)))


class FusionLayer(nn.Module):
    """Cross-attention to each other modality in turn, then a feed-forward block."""

    def __init__(self, others: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.questions = nn.ModuleList(CrossAttention(width, heads, dropout) for _ in range(others))
        self.feed_forward = nn.Sequential(nn.Linear(width, width), nn.ReLU(), Dropout(dropout), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, target: Tensor, others: list[Tensor], batch: Batch) -> Tensor:
        for question, other in zip(self.questions, others, strict=True):
            target = question(target, other, batch)
        return self.norm(target + self.dropout(self.feed_forward(target)))


class MultiEMO(ClosedSetSystem):
    """DialogueRNN per modality, stacked cross-attention to the others, one classifier on all streams.

    The original's attention has no mask; here it ends where the dialogue ends. A single modality has no
    cross-attention, and Soft-HGR no pair.
    """

    rarity: Tensor

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        backbone, modalities = config.backbone, config.backbone.modalities
        width, others, dropout = backbone.hidden, len(modalities) - 1, backbone.dropout
        self.standardize = Standardizers(backbone, inputs.widths)
        self.encoders = nn.ModuleDict(
            {name: DialogueEncoder(inputs.widths[name], width, dropout) for name in modalities}
        )
        depth = config.system.multiemo.layers if others else 0
        self.layers = nn.ModuleDict(
            {
                name: nn.ModuleList(FusionLayer(others, width, backbone.heads, dropout) for _ in range(depth))
                for name in modalities
            }
        )
        self.fuse = nn.Linear(len(modalities) * width, width)
        self.head = nn.Sequential(nn.ReLU(), Dropout(dropout), nn.Linear(width, len(inputs.train_counts)))
        rarity = sum(inputs.train_counts) / torch.tensor(inputs.train_counts, dtype=torch.float32).clamp(min=1)
        self.register_buffer("rarity", rarity**config.system.multiemo.sample_weight)

    def forward(self, batch: Batch) -> MultiEMOOutput:
        context = {name: self.encoders[name](x, batch) for name, x in self.standardize(batch).items()}
        streams = []
        for name, stream in context.items():
            others = [other for source, other in context.items() if source != name]
            layers = self.layers[name]
            assert isinstance(layers, nn.ModuleList)
            for layer in layers:
                stream = layer(stream, others, batch)
            streams.append(stream)
        fused = self.fuse(torch.cat(streams, dim=1))
        return MultiEMOOutput(self.classes(self.head(fused)), fused, torch.stack(streams, dim=1))

    def loss(self, output: MultiEMOOutput, batch: Batch) -> Losses:
        known, system = batch.label >= 0, self.config.system
        label = batch.label[known]
        contrastive = supervised_contrastive(
            output.fused[known],
            label,
            system.multiemo.temperature,
            focus=system.multiemo.focus,
            weight=self.rarity[label],
        )
        pairs = combinations(output.streams[known].unbind(1), 2)
        # Per dimension, so that its weight means the same at every width.
        correlation = sum((soft_hgr(*pair) for pair in pairs), contrastive.new_zeros(())) / output.streams.shape[2]
        weights = (system.multiemo.contrastive_weight, system.multiemo.correlation_weight)
        entropy = (1 - sum(weights)) * self.classes.cross_entropy(output.scores[known], label)
        return closed_set_losses(entropy + weights[0] * contrastive - weights[1] * correlation, contrastive)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.standardize.fit_statistics(features, missing)
