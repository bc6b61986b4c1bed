"""MLP: each utterance by itself, without the conversation."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem, Scores
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.layers import Dropout
from fmerl.model.system import ModelInputs


class MLP(ClosedSetSystem):
    """All modalities side by side -> two hidden ReLU layers -> classes."""

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width, dropout = config.backbone.hidden, config.backbone.dropout
        self.standardize = Standardizers(config.backbone, inputs.widths)
        self.layers = nn.Sequential(
            nn.Linear(sum(inputs.widths.values()), width),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(width, width),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(width, len(inputs.train_counts)),
        )

    def forward(self, batch: Batch) -> Scores:
        return Scores(self.classes(self.layers(self.standardize.joined(batch))))

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.standardize.fit_statistics(features, missing)
