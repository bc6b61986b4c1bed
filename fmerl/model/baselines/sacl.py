"""SACL-LSTM: supervised adversarial contrastive learning (Hu et al. 2023).

Shapes: N utterances, C classes, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem, closed_set_losses
from fmerl.model.baselines.losses import supervised_contrastive
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.layers import Dropout
from fmerl.model.sequences import Recurrent, by_dialogue, by_speaker
from fmerl.model.system import Losses, ModelInputs


class SACLOutput(NamedTuple):
    """Output for N utterances in their context, and in the same context perturbed against the classifier."""

    scores: Tensor
    """Logits, [N, C]."""
    hidden: Tensor
    """Representations that the contrastive loss compares, [N, D]."""
    adversarial_scores: Tensor
    """Logits of the perturbed context, [N, C]; in evaluation `scores`."""
    adversarial_hidden: Tensor
    """Representations of the perturbed context, [N, D]; in evaluation `hidden`."""


class SACL(ClosedSetSystem):
    """Two bidirectional LSTMs, over the dialogue and over each speaker's own turns, trained on clean and worst cases.

    The worst case moves an utterance's LSTM states by its radius along the gradient of its own cross-entropy. SACL's
    code takes the gradient of the batch's whole loss and scales it over the batch; here one utterance's perturbation
    does not depend on which others share its batch.
    """

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width = config.backbone.hidden
        self.standardize = Standardizers(config.backbone, inputs.widths)
        self.project = nn.Linear(sum(inputs.widths.values()), width)
        self.dialogue = Recurrent(nn.LSTM(width, width // 2, bidirectional=True))
        self.speaker = Recurrent(nn.LSTM(width, width // 2, bidirectional=True))
        self.hidden = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, len(inputs.train_counts))
        self.dropout = Dropout(config.backbone.dropout)

    def forward(self, batch: Batch) -> SACLOutput:
        utterance = self.dropout(self.project(self.standardize.joined(batch)))
        context = torch.cat(
            [self.dialogue(utterance, by_dialogue(batch)), self.speaker(utterance, by_speaker(batch))], dim=1
        )
        scores, hidden = self._classify(context)
        if not self.training:
            return SACLOutput(scores, hidden, scores, hidden)
        return SACLOutput(scores, hidden, *self._classify(context + self._perturbation(context, scores, batch.label)))

    def _classify(self, context: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.hidden(self.dropout(context)))
        return self.classes(self.head(self.dropout(hidden))), hidden

    def _perturbation(self, context: Tensor, scores: Tensor, label: Tensor) -> Tensor:
        """Steps of length radius along each utterance's cross-entropy gradient; 0 without a target, [N, 2 D]."""
        known = label >= 0
        loss = F.cross_entropy(scores[known], label[known], reduction="sum")
        (gradient,) = torch.autograd.grad(loss, context, retain_graph=True)
        return self.config.system.sacl.radius * F.normalize(gradient, dim=1)

    def loss(self, output: SACLOutput, batch: Batch) -> Losses:
        known, system = batch.label >= 0, self.config.system
        label = batch.label[known]
        clean, adversarial = (
            supervised_contrastive(hidden[known], label, system.sacl.temperature)
            for hidden in (output.hidden, output.adversarial_hidden)
        )
        contrastive = system.sacl.weight * clean + system.sacl.adversarial_weight * adversarial
        entropy = sum(
            self.classes.cross_entropy(scores[known], label) for scores in (output.scores, output.adversarial_scores)
        )
        return closed_set_losses(entropy + contrastive, contrastive)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.standardize.fit_statistics(features, missing)
