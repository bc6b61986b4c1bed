"""SDT: a transformer-based model with self-distillation for ERC (Ma et al. 2023), on the backbone it gave to FMERL.

Shapes: N utterances, M modalities, C classes, D width.
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
from fmerl.model.batch import Batch
from fmerl.model.layers import Dropout
from fmerl.model.system import Losses, ModelInputs


class SDTOutput(NamedTuple):
    """Output of the teacher and the students for N utterances."""

    scores: Tensor
    """Logits of the fused representation, [N, C]."""
    students: Tensor
    """Logits of each modality's stream, [N, M, C]; none of a single modality, [N, 0, C]."""


class SDT(ClosedSetSystem):
    """A classifier on the fused representation that teaches one on each modality's stream while it learns itself.

    A single modality's stream is the fused representation: there is no student.
    """

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width, classes, modalities = config.backbone.hidden, len(inputs.train_counts), len(config.backbone.modalities)
        self.backbone = Backbone(config.backbone, inputs.widths, inputs.n_speakers)
        self.teacher = nn.Linear(width, classes)
        self.students = nn.ModuleList(
            nn.Sequential(nn.ReLU(), Dropout(config.backbone.dropout), nn.Linear(width, classes))
            for _ in range(modalities if modalities > 1 else 0)
        )

    def forward(self, batch: Batch) -> SDTOutput:
        streams = self.backbone.streams(batch)
        scores = self.classes(self.teacher(self.backbone.fuse(streams)))
        students = [self.classes(head(stream)) for head, stream in zip(self.students, streams, strict=False)]
        return SDTOutput(scores, torch.stack(students, dim=1) if students else scores.new_zeros(len(scores), 0, 1))

    def loss(self, output: SDTOutput, batch: Batch) -> Losses:
        """Cross-entropy of teacher and students, and the students' divergence from the teacher, all weighing 1.

        The teacher keeps its gradient in the divergence, as in SDT's code.
        """
        known = batch.label >= 0
        label, scores = batch.label[known], output.scores[known]
        total = self.classes.cross_entropy(scores, label)
        temperature = self.config.system.sdt.temperature
        teacher = (scores / temperature).log_softmax(1)
        for student in output.students[known].unbind(1):
            learned = (student / temperature).log_softmax(1)
            divergence = F.kl_div(learned, teacher, reduction="sum", log_target=True) / max(len(label), 1)
            total = total + self.classes.cross_entropy(student, label) + divergence
        return closed_set_losses(total)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.backbone.fit_statistics(features, missing)
