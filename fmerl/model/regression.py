"""Continuous form of emotion: one small net per dimension (Eq. 2) and its loss (Eq. 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fmerl.config import DIMENSIONS, RegressionConfig


class RegressionNets(nn.Module):
    """Valence, arousal and dominance from the fused representation.

    Args:
        config: Dimensions with a net, depth, and how scores are read.
        width: D of the representation; every hidden layer has it too.
        vad_range: Lowest and highest score of the labels.
    """

    columns: Tensor
    weights: Tensor

    def __init__(self, config: RegressionConfig, width: int, vad_range: tuple[float, float]) -> None:
        super().__init__()
        self.config, (self.low, self.high) = config, vad_range
        columns = [DIMENSIONS.index(name) for name in config.dimensions]
        self.register_buffer("columns", torch.tensor(columns, dtype=torch.int64), persistent=False)
        weights = [getattr(config, f"{name}_weight") for name in config.dimensions]
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32), persistent=False)
        self.nets = nn.ModuleDict({name: _net(width, config.hidden_layers) for name in config.dimensions})

    def forward(self, representation: Tensor) -> Tensor:
        """The nets' outputs on the loss's scale, [N, D] -> [N, K] in the order of `config.dimensions`."""
        if not self.nets:
            return representation.new_zeros(len(representation), 0)
        raw = torch.cat([net(representation) for net in self.nets.values()], dim=1)
        if self.config.target == "linear":
            return raw
        if self.config.target == "scaled_sigmoid":
            return self.low + (self.high - self.low) * torch.sigmoid(raw)
        return torch.sigmoid(raw)

    def loss(self, outputs: Tensor, vad: Tensor, valid: Tensor) -> Tensor:
        """Eq. 3: per dimension the mean squared error over utterances that have a score, weighted and joined.

        Args:
            outputs: From `forward`, [N, K].
            vad: Scores in the labels' range, NaN where there is none, [N, 3].
            valid: True for utterances that count at all, [N].
        """
        if not self.nets:
            return outputs.new_zeros(())
        target = vad[:, self.columns]
        if self.config.target == "unit":
            target = ((target - self.low) / (self.high - self.low)).clamp(0, 1)
        known = valid.unsqueeze(1) & ~target.isnan()
        squared = (outputs - target.nan_to_num()).square() * known
        per_dimension = squared.sum(0) / known.sum(0).clamp(min=1)
        joined = (per_dimension * self.weights).sum()
        return joined / len(self.nets) if self.config.reduction == "mean" else joined

    def scores(self, outputs: Tensor) -> Tensor:
        """Outputs on the labels' range, [N, 3]; NaN in the columns of dimensions without a net."""
        result = outputs.new_full((len(outputs), len(DIMENSIONS)), float("nan"))
        if self.config.target == "unit":
            outputs = self.low + (self.high - self.low) * outputs
        result[:, self.columns] = outputs
        return result


def _net(width: int, hidden_layers: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(hidden_layers):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 1))
