"""The choice of the reported epoch, and the history up to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from fmerl.model import System
from fmerl.training.evaluation import Predictions


@dataclass
class Selection:
    """The reported epoch so far: the first best on validation, or the last one. Test scores choose nothing."""

    by: Literal["validation", "last"]
    best_score: float = -1.0
    epoch: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    """Test scores at that epoch."""
    predictions: Predictions | None = None
    """Test predictions at that epoch."""
    weights: dict[str, Tensor] = field(default_factory=dict)
    oracle: float = 0.0
    """Best test weighted F1 of any epoch."""
    first: Predictions | None = None
    """Test predictions after the first epoch."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Metrics of each epoch, from epoch 1."""
    seconds: float = 0.0
    """Time spent training, in all processes that took part."""

    def add(self, metrics: dict[str, float], predictions: Predictions, scores: dict[str, float], model: System) -> None:
        """Add an epoch: its metrics, and test predictions and scores that were made outside the training loop."""
        self.history.append(metrics)
        self.oracle = max(self.oracle, scores["weighted_f1"])
        self.first = self.first or predictions
        if self.by == "last" or metrics["validation_weighted_f1"] > self.best_score:
            self.best_score, self.epoch = metrics["validation_weighted_f1"], len(self.history)
            self.scores, self.predictions = scores, predictions
            self.weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """State for a checkpoint: predictions are tensors, which need no code of ours to be read."""
        seen = {"predictions": self.predictions, "first": self.first}
        tensors = {name: tuple(map(torch.from_numpy, value)) if value else None for name, value in seen.items()}
        return vars(self) | tensors

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Selection:
        """The selection that gave `state`."""
        seen = {name: state[name] for name in ("predictions", "first")}
        arrays = {
            name: Predictions(*(part.numpy() for part in value)) if value else None for name, value in seen.items()
        }
        return cls(**state | arrays)
