"""Training of one cell: its metrics, its predictions and its weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.checkpoint import Checkpoint
from fmerl.config import CellConfig
from fmerl.model import System
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.evaluation import Predictions, classification_scores, condition_table, prediction_table
from fmerl.training.loop import adam, build_model, deterministic, train_epochs
from fmerl.training.selection import Selection

OnEpoch = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number, from 1, and its metrics."""

FIRST_EPOCH = "first epoch"
"""Condition of the predictions of a model that has hardly learned."""


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """Results of a trained cell."""

    metrics: dict[str, float]
    """Final metrics: `test_*`, `test_oracle_weighted_f1`, `selected_epoch`, `train_seconds`, `parameters`."""
    predictions: pa.Table
    """Validation and test rows at the selected epoch (`fmerl.training.evaluation.prediction_table`)."""
    conditions: pa.Table
    """The same columns and `condition`, test rows only, after the `first epoch`; `fmerl.conditions` makes others."""
    weights: dict[str, Tensor]
    """State of the model at the selected epoch, on the CPU."""


def train_cell(
    config: CellConfig,
    data: ConversationData,
    anchors: NDArray[np.float32],
    seed: int,
    *,
    on_epoch: OnEpoch | None = None,
    device: torch.device | None = None,
    checkpoint: Checkpoint | None = None,
    ranks: Ranks = ALONE,
) -> CellResult:
    """Train one cell. Same arguments, same numbers: on CPU bit for bit, wherever it was interrupted.

    The epoch is selected on validation (or is the last, as configured). Test predictions are made after every epoch
    outside the training loop, only to report beside the selected epoch what picking it on the test set would have
    given (`test_oracle_weighted_f1`).

    Args:
        config: The cell's configuration.
        data: All three splits.
        anchors: Encoded descriptions in label order, [C, E].
        seed: Decides initial weights, data order and dropout.
        on_epoch: For progress and logging; for a cell that goes on, called again for the earlier epochs.
        device: By default the first GPU where there is one, else the CPU.
        checkpoint: Keeps the cell's state to go on from; None keeps none. Rank 0 alone reads and writes it.
        ranks: This process among those that train the cell.

    Raises:
        fmerl.training.loop.DivergedError: The loss left the finite numbers.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seen, test, started = seen_splits(config, data), data.subset("test"), time.perf_counter()

    with deterministic(config.training.threads):
        model = build_model(config, seen.subset("train"), anchors, seed).to(device)
        optimizer = adam(model)
        chosen = _restored(ranks.from_first(checkpoint.load() if checkpoint else None), config, model, optimizer)
        earlier, done = chosen.seconds, len(chosen.history)
        for epoch, metrics in enumerate(chosen.history, start=1):
            if on_epoch:
                on_epoch(epoch, metrics)
        epochs = train_epochs(model, seen, seed, device, optimizer=optimizer, first_epoch=done + 1, ranks=ranks)
        test_loader = BatchLoader(test, config.tables, config.training, device)
        for epoch, metrics in enumerate(epochs, start=done + 1):
            predictions = ranks.predict(model, test_loader)
            scores = classification_scores(test.label, predictions.predicted, len(test.classes))
            chosen.add(metrics, predictions, scores, model)
            chosen.seconds = earlier + time.perf_counter() - started
            if on_epoch:
                on_epoch(epoch, metrics)
            if checkpoint and ranks.rank == 0 and epoch < config.training.epochs and checkpoint.due():
                # Generators are not in it: each epoch's follow from seed and epoch.
                state = {"chosen": chosen.state(), "model": model.state_dict(), "optimizer": optimizer.state_dict()}
                checkpoint.save(state)
        assert chosen.first is not None
        assert chosen.predictions is not None
        model.load_state_dict(chosen.weights)
        validation = BatchLoader(data.subset("validation"), config.tables, config.training, device)
        of_validation = ranks.predict(model, validation)
        both = Predictions(*map(np.concatenate, zip(of_validation, chosen.predictions, strict=True)))
    return CellResult(
        metrics={
            **{f"test_{name}": value for name, value in chosen.scores.items()},
            "test_oracle_weighted_f1": chosen.oracle,
            "validation_selected_weighted_f1": chosen.best_score,
            "selected_epoch": float(chosen.epoch),
            "train_seconds": earlier + time.perf_counter() - started,
            "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        },
        predictions=prediction_table(data.subset("validation", "test"), both),
        conditions=condition_table(test, FIRST_EPOCH, chosen.first),
        weights=chosen.weights,
    )


def seen_splits(config: CellConfig, data: ConversationData) -> ConversationData:
    """Train and validation as a cell sees them: without the classes that it holds out."""
    return data.subset("train", "validation").without_classes(
        config.training.unseen_classes, config.training.unseen_utterances
    )


def _restored(
    state: dict[str, Any] | None, config: CellConfig, model: System, optimizer: torch.optim.Optimizer
) -> Selection:
    if state is None:
        return Selection(by=config.training.selection)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Selection.of_state(state["chosen"])
