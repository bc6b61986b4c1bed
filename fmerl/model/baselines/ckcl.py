"""CKCL: contrast by whether context and knowledge change a prediction (Tu et al. 2023), on COSMIC.

Shapes: N utterances, C classes, D width.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import closed_set_losses
from fmerl.model.baselines.cosmic import COSMIC
from fmerl.model.batch import Batch
from fmerl.model.system import Losses, ModelInputs


class CKCLOutput(NamedTuple):
    """Output for N utterances; the last two are 1 in evaluation."""

    scores: Tensor
    """Logits, [N, C]."""
    hidden: Tensor
    """Representations that the classifier reads, [N, D]."""
    without_context: Tensor
    """1 where the same weights predict the same class without context, [N]."""
    without_knowledge: Tensor
    """1 where they do without knowledge, [N]."""


class CKCL(COSMIC):
    """COSMIC, and a pseudo-label of each training utterance: does it need its context, does it need knowledge?

    Both come from passes of the same weights in evaluation mode, without gradient, and are compared with the trained
    pass, as in the paper.
    """

    log_weight: Tensor

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        counts = torch.tensor(inputs.train_counts, dtype=torch.float32)
        self.register_buffer("log_weight", (counts.sum() / counts.clamp(min=1)).log())

    def forward(self, batch: Batch) -> Any:
        """`CKCLOutput`, which is no `COSMICOutput`."""
        whole = self.config.system.ckcl.trained_pass == "whole"
        output = self.classify(batch, context=whole, knowledge=whole)
        if not self.training:
            same = torch.ones_like(output.scores[:, 0])
            return CKCLOutput(*output, same, same)
        predicted = output.scores.argmax(1)
        self.eval()
        try:
            with torch.no_grad():
                passes = [self.classify(batch, context=kept, knowledge=not kept) for kept in (False, True)]
        finally:
            self.train()
        return CKCLOutput(*output, *((other.scores.argmax(1) == predicted).to(output.scores) for other in passes))

    def loss(self, output: CKCLOutput, batch: Batch) -> Losses:
        known, own = batch.label >= 0, self.config.system.ckcl
        label, scores, hidden = batch.label[known], output.scores[known], output.hidden[known]
        entropy = self.classes.cross_entropy(scores, label)
        log_probabilities = scores[:, self.classes.seen].log_softmax(1)
        contrasted = hidden if own.contrasted == "hidden" else log_probabilities
        contrastive = own.emotion_weight * summed_contrast(
            log_probabilities, label, self.log_weight[label], own.temperature
        )
        for weight, same in (
            (own.context_weight, output.without_context[known]),
            (own.knowledge_weight, output.without_knowledge[known]),
        ):
            contrastive = contrastive + weight * summed_contrast(contrasted, same, rarity(same), own.temperature)
        return closed_set_losses(entropy + contrastive, contrastive)


def rarity(same: Tensor) -> Tensor:
    """log(n / n_a) of each row's value a among all n, [N] -> [N]."""
    ones = same.sum()
    return torch.log(len(same) / torch.where(same > 0, ones, len(same) - ones))


def summed_contrast(z: Tensor, label: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """Weighted contrast of each row with all others, the positives summed within the logarithm.

    Args:
        z: Vectors, compared by their cosine, [N, D].
        label: Values that make two rows a positive pair, [N].
        weight: Weight of each row, [N].
        temperature: Divisor of the cosines.

    Returns:
        Mean over all rows of -weight log(sum over positives / sum over all others); a row without a positive gives 0.
    """
    z = torch.nn.functional.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    similar = (z @ z.T / temperature).masked_fill(itself, -1e9)
    positive = (label.unsqueeze(1) == label) & ~itself
    share = similar.masked_fill(~positive, -1e9).logsumexp(1) - similar.logsumexp(1)
    return -(weight * torch.where(positive.any(1), share, 0.0)).sum() / max(len(z), 1)
