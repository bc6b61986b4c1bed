"""Epochs of tuning with one choice of the epoch on validation; a state to go on from stands within an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.result import score_epoch
from fmerl.finetuning.steps import Tuner
from fmerl.training.cell import OnEpoch
from fmerl.training.loop import DivergedError
from fmerl.training.selection import Selection

OnUpdate = Callable[[int, float], None]
"""Called after each update with its number, from 0, and its mean loss."""


class Stage:
    """A system in training: the whole of most systems, one of MPLP's two.

    Args:
        tuner: Makes its updates, and holds the system.
        data: The corpus.
        config: Number of epochs and patience.
        state: State to go on from.
    """

    def __init__(self, tuner: Tuner, data: TuningData, config: TuningConfig, state: Mapping[str, Any] | None) -> None:
        self.tuner, self._data, self._config = tuner, data, config
        self.chosen = Selection(by="validation") if state is None else Selection.of_state(state["chosen"])
        self._updates: int = 0 if state is None else state["updates"]
        self._losses: float = 0.0 if state is None else state["losses"]
        if state is not None:
            tuner.model.load_state_dict(state["model"])
            tuner.optimizer.load_state_dict(state["optimizer"])

    def state(self) -> dict[str, Any]:
        """What it goes on from."""
        return {
            "model": self.tuner.model.state_dict(),
            "optimizer": self.tuner.optimizer.state_dict(),
            "chosen": self.chosen.state(),
            "updates": self._updates,
            "losses": self._losses,
        }

    def train(self, on_epoch: OnEpoch, on_update: OnUpdate, keep: Callable[[Stage], None]) -> None:
        """Train the epochs that are left; the system ends at the selected one.

        Args:
            on_epoch: Called after each epoch with its number and metrics.
            on_update: Called after each update.
            keep: Called after each update, to keep the state.

        Raises:
            DivergedError: The loss left the finite numbers.
        """
        for epoch in range(len(self.chosen.history) + 1, self._config.epochs + 1):
            if self._config.patience and _without_gain(self.chosen.history) >= self._config.patience:
                break
            batches = self.tuner.batches(epoch)
            first = self._updates - (epoch - 1) * len(batches)
            if first == 0:
                self.tuner.begin_epoch()
            for rows in batches[first:]:
                loss = self.tuner.update(self._updates, rows)
                if not math.isfinite(loss):
                    raise DivergedError(f"the loss is {loss} at update {self._updates}; lower --learning-rate")
                on_update(self._updates, loss / len(rows))
                self._updates, self._losses = self._updates + 1, self._losses + loss
                keep(self)
            metrics = score_epoch(self.chosen, self.tuner, self._data, self._losses / sum(map(len, batches)))
            self._losses = 0.0
            on_epoch(epoch, metrics)
        self.tuner.model.load_state_dict(self.chosen.weights)


def ignore(number: int, told: object) -> None:
    """In place of a callback that was not given."""


def _without_gain(history: Sequence[dict[str, float]]) -> int:
    """Epochs after the first whose validation score is not above that of every one before."""
    best, count = -math.inf, 0
    for metrics in history:
        count += metrics["validation_weighted_f1"] <= best
        best = max(best, metrics["validation_weighted_f1"])
    return count
