"""The whole model: backbone, regression nets, alignment, and the loss that joins them (Eq. 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from fmerl.batching import Batch
from fmerl.config import CellConfig
from fmerl.model.backbone import Backbone
from fmerl.model.contrastive import DescriptionAlignment
from fmerl.model.regression import RegressionNets


class Output(NamedTuple):
    """What the model says of N utterances."""

    cosine: Tensor
    """With each class's anchor, [N, C]."""
    vad: Tensor
    """The regression nets' outputs, [N, K]."""


class Losses(NamedTuple):
    """The total and its parts, each a scalar."""

    total: Tensor
    mse: Tensor
    contrastive: Tensor
    negative: Tensor


class FMERL(nn.Module):
    """Fused multimodal representation, read as VAD scores and as nearness to emotion descriptions.

    Args:
        config: The cell's configuration.
        widths: Feature width per modality.
        n_speakers: Embedded speakers per dialogue.
        anchors: Encoded descriptions in label order, [C, E].
        vad_range: Of the scores in batches.
        train_counts: Training utterances per class, [C].
    """

    def __init__(
        self,
        config: CellConfig,
        *,
        widths: Mapping[str, int],
        n_speakers: int,
        anchors: Tensor,
        vad_range: tuple[float, float],
        train_counts: Sequence[int],
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone, widths, n_speakers)
        self.alignment = DescriptionAlignment(config.contrastive, config.backbone.hidden, anchors, train_counts)
        # Last, so that variants with fewer nets start from the same weights everywhere else: their difference from
        # the control, paired by seed, is the change and not another draw.
        self.regression = RegressionNets(config.regression, config.backbone.hidden, vad_range)

    def forward(self, batch: Batch) -> Output:
        representation = self.backbone(batch)
        return Output(self.alignment(representation), self.regression(representation))

    def loss(self, output: Output, batch: Batch) -> Losses:
        """L = L_mse + lambda_tri (L1 + lambda_neg L2) over the utterances that have a target."""
        valid = batch.label >= 0
        mse = self.regression.loss(output.vad, batch.vad, valid)
        contrastive, negative = self.alignment.loss(output.cosine, batch.label, valid)
        weights = self.config.contrastive
        total = mse + weights.triple_weight * (contrastive + weights.negative_weight * negative)
        return Losses(total, mse, contrastive, negative)
