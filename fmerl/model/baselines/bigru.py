"""BiGRU: the conversation as one sequence of utterances, without speakers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem, Scores
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.layers import Dropout
from fmerl.model.sequences import Recurrent, by_dialogue
from fmerl.model.system import ModelInputs


class BiGRU(ClosedSetSystem):
    """All modalities side by side -> bidirectional GRU over the dialogue -> classes."""

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width = config.backbone.hidden
        self.standardize = Standardizers(config.backbone, inputs.widths)
        self.project = nn.Linear(sum(inputs.widths.values()), width)
        self.context = Recurrent(nn.GRU(width, width // 2, bidirectional=True))
        self.head = nn.Linear(width, len(inputs.train_counts))
        self.dropout = Dropout(config.backbone.dropout)

    def forward(self, batch: Batch) -> Scores:
        utterance = self.dropout(self.project(self.standardize.joined(batch)))
        context = self.dropout(self.context(utterance, by_dialogue(batch)))
        return Scores(self.classes(self.head(context)))

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.standardize.fit_statistics(features, missing)
