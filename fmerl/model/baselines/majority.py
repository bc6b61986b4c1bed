"""The majority class: a lower bound for every table."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem, Scores
from fmerl.model.batch import Batch
from fmerl.model.system import ModelInputs


class Majority(ClosedSetSystem):
    """Scores every utterance by the training split's class frequencies.

    Its one parameter, which a trainer needs, is their sharpness; whatever it learns, the largest stays the largest.
    """

    prior: Tensor

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        counts = torch.tensor(inputs.train_counts, dtype=torch.float32)
        self.register_buffer("prior", (counts / counts.sum()).clamp(min=1e-12).log())
        self.log_sharpness = nn.Parameter(torch.zeros(()))

    def forward(self, batch: Batch) -> Scores:
        return Scores(self.classes(self.log_sharpness.exp() * self.prior.expand(len(batch.label), -1)))

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        """Nothing to fit: no features are read."""
