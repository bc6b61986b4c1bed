"""A batch's features, standardised, and zero where a modality was not observed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fmerl.config import BackboneConfig
from fmerl.model.batch import Batch
from fmerl.model.layers import Standardizer


class Standardizers(nn.ModuleDict):
    """Standardisation of the features of N utterances.

    Args:
        config: Modalities that are read, and which of them are standardised.
        widths: Feature width D_m of each of `config.modalities`.
    """

    def __init__(self, config: BackboneConfig, widths: Mapping[str, int]) -> None:
        super().__init__({name: Standardizer(widths[name]) for name in config.standardize if name in config.modalities})
        self._modalities = config.modalities

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        """Fit the standardisation on the training split: [U, D_m] values and [U] missing flags by modality."""
        for name, standardizer in self.items():
            assert isinstance(standardizer, Standardizer)
            standardizer.fit(features[name][~missing[name]])

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Features by modality, [N, D_m]."""
        return {
            name: (self[name](batch.features[name]) if name in self else batch.features[name]) * batch.present[name]
            for name in self._modalities
        }

    def joined(self, batch: Batch) -> Tensor:
        """All modalities side by side, [N, sum of D_m]."""
        return torch.cat(list(self(batch).values()), dim=1)
