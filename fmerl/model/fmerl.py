"""The whole method: backbone, regression nets, alignment, and the loss that joins them (Eq. 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from fmerl.config import CellConfig
from fmerl.model.backbone import Backbone
from fmerl.model.batch import Batch
from fmerl.model.contrastive import DescriptionAlignment
from fmerl.model.regression import RegressionNets
from fmerl.model.system import Losses, ModelInputs, System


class Output(NamedTuple):
    """FMERL's output for N utterances."""

    scores: Tensor
    """Cosine with each class's anchor, [N, C]."""
    vad: Tensor
    """The regression nets' outputs, [N, K]."""


class FMERL(System):
    """Fused multimodal representation, read as VAD scores and as nearness to emotion descriptions."""

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width = config.backbone.hidden
        self.backbone = Backbone(config.backbone, inputs.widths, inputs.n_speakers)
        self.alignment = DescriptionAlignment(config.contrastive, width, inputs.anchors, inputs.train_counts)
        # Last, so that variants with fewer nets start from the same weights everywhere else: their difference from
        # the control, paired by seed, is the change and not another draw.
        self.regression = RegressionNets(config.regression, width, inputs.vad_range)

    def forward(self, batch: Batch) -> Output:
        representation = self.backbone(batch)
        return Output(self.alignment(representation), self.regression(representation))

    def loss(self, output: Output, batch: Batch) -> Losses:
        """L = L_mse + lambda_tri (L1 + lambda_neg L2) over the utterances that have a target."""
        valid = batch.label >= 0
        mse = self.regression.loss(output.vad, batch.vad, valid)
        contrastive, negative = self.alignment.loss(output.scores, batch.label, valid)
        weights = self.config.contrastive
        total = mse + weights.triple_weight * (contrastive + weights.negative_weight * negative)
        return Losses(total, mse, contrastive, negative)

    def vad_scores(self, output: Output) -> Tensor:
        return self.regression.scores(output.vad)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.backbone.fit_statistics(features, missing)
