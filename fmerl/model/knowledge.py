"""Knowledge about each utterance: what a language model says of it, by relation (`fmerl.config.RELATIONS`).

Shapes: N utterances, R relations, E width of a relation's vector.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from fmerl.config import KNOWLEDGE, RELATIONS
from fmerl.model.batch import Batch
from fmerl.model.layers import Standardizer


class Knowledge(nn.Module):
    """Relations' vectors, standardised; zeros, which is the training split's mean, where there is no answer.

    Args:
        widths: Width of each table that is read, R E of knowledge's.
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.width = widths[KNOWLEDGE] // len(RELATIONS)
        """E."""
        self.standardize = Standardizer(widths[KNOWLEDGE])

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        """Fit the standardisation on the training split: [U, R E] values and [U] missing flags."""
        self.standardize.fit(features[KNOWLEDGE][~missing[KNOWLEDGE]])

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors by relation, [N, E] each."""
        known = self.standardize(batch.features[KNOWLEDGE]) * batch.present[KNOWLEDGE]
        return dict(zip(RELATIONS, known.split(self.width, dim=1), strict=True))
