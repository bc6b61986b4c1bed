"""The door: train one cell, get its metrics, its predictions and its weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.config import CellConfig
from fmerl.model import System
from fmerl.training.batching import BatchLoader
from fmerl.training.checkpoint import Checkpoint
from fmerl.training.dataset import ConversationData
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.evaluation import Predictions, classification_scores, prediction_table
from fmerl.training.loop import adam, build_model, deterministic, train_epochs

OnEpoch = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number, from 1, and its metrics."""

FIRST_EPOCH = "first epoch"
"""Condition of the predictions of a model that has hardly learned."""


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What a trained cell leaves."""

    metrics: dict[str, float]
    """Final ones: `test_*`, `test_oracle_weighted_f1`, `selected_epoch`, `train_seconds`, `parameters`."""
    predictions: pa.Table
    """Validation and test rows at the selected epoch (`fmerl.training.evaluation.prediction_table`)."""
    conditions: pa.Table
    """The same columns and `condition`, test rows only: after the `first epoch`, and, of a model that reads several
    modalities, at the selected epoch with each `<modality> masked`."""
    weights: dict[str, Tensor]
    """State of the model at the selected epoch, on the CPU."""


@dataclass
class _Selection:
    """The reported epoch so far, with what was seen on the way to it."""

    best_score: float = -1.0
    epoch: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    predictions: Predictions | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)
    oracle: float = 0.0
    first: Predictions | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    """Metrics of each epoch, from epoch 1."""
    seconds: float = 0.0
    """Spent training, in all processes that took part."""


_PREDICTED = ("predictions", "first")
"""Fields of a selection that hold predictions."""


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
        on_epoch: For progress and logging; of a cell that goes on it is told the earlier epochs again.
        device: Default: the first GPU where there is one, else the CPU.
        checkpoint: Where the cell's state is kept and found again; None keeps none. Rank 0 alone reads and writes it.
        ranks: This process among those that train the cell.

    Raises:
        fmerl.training.loop.DivergedError: The loss left the finite numbers.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    test, validation = data.subset("test"), data.subset("validation")
    seen = data.subset("train", "validation").without_classes(
        config.training.unseen_classes, config.training.unseen_utterances
    )
    started = time.perf_counter()
    with deterministic(config.training.threads):
        model = build_model(config, seen.subset("train"), anchors, seed).to(device)
        optimizer = adam(model)
        chosen = _restore(ranks.from_first(checkpoint.load() if checkpoint else None), model, optimizer)
        earlier = chosen.seconds
        for epoch, metrics in enumerate(chosen.history, start=1):
            if on_epoch:
                on_epoch(epoch, metrics)
        test_loader = BatchLoader(test, config.backbone.modalities, config.training, device)
        first_epoch = len(chosen.history) + 1
        epochs = train_epochs(model, seen, seed, device, optimizer=optimizer, first_epoch=first_epoch, ranks=ranks)
        for epoch, metrics in enumerate(epochs, start=first_epoch):
            predictions = ranks.predict(model, test_loader)
            scores = classification_scores(test.label, predictions.predicted, len(test.classes))
            chosen.oracle = max(chosen.oracle, scores["weighted_f1"])
            chosen.first = chosen.first or predictions
            if config.training.selection == "last" or metrics["validation_weighted_f1"] > chosen.best_score:
                chosen.best_score, chosen.epoch, chosen.scores = metrics["validation_weighted_f1"], epoch, scores
                chosen.predictions = predictions
                chosen.weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
            chosen.history.append(metrics)
            chosen.seconds = earlier + time.perf_counter() - started
            if on_epoch:
                on_epoch(epoch, metrics)
            if checkpoint and ranks.rank == 0 and epoch < config.training.epochs and checkpoint.due():
                checkpoint.save(_state(chosen, model, optimizer))
        assert chosen.first is not None
        assert chosen.predictions is not None
        model.load_state_dict(chosen.weights)
        validation_loader = BatchLoader(validation, config.backbone.modalities, config.training, device)
        both = Predictions(
            *map(np.concatenate, zip(ranks.predict(model, validation_loader), chosen.predictions, strict=True))
        )
        conditions = {FIRST_EPOCH: chosen.first}
        if len(config.backbone.modalities) > 1:
            for modality in config.backbone.modalities:
                masked = BatchLoader(_masked(test, modality), config.backbone.modalities, config.training, device)
                conditions[masked_condition(modality)] = ranks.predict(model, masked)
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
        conditions=_condition_table(test, conditions),
        weights=chosen.weights,
    )


def _state(chosen: _Selection, model: System, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Generators are not in it: each epoch's follow from seed and epoch (`fmerl.training.loop.train_epochs`)."""
    seen = {name: _as_tensors(getattr(chosen, name)) for name in _PREDICTED}
    return {"chosen": vars(chosen) | seen, "model": model.state_dict(), "optimizer": optimizer.state_dict()}


def _restore(state: dict[str, Any] | None, model: System, optimizer: torch.optim.Optimizer) -> _Selection:
    if state is None:
        return _Selection()
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    seen = {name: _as_predictions(state["chosen"][name]) for name in _PREDICTED}
    return _Selection(**state["chosen"] | seen)


def _as_tensors(predictions: Predictions | None) -> tuple[Tensor, ...] | None:
    """As a checkpoint holds them: tensors need no code of ours to be read."""
    return tuple(map(torch.from_numpy, predictions)) if predictions else None


def _as_predictions(tensors: tuple[Tensor, ...] | None) -> Predictions | None:
    return Predictions(*(tensor.numpy() for tensor in tensors)) if tensors else None


def masked_condition(modality: str) -> str:
    """Condition of predictions made without a modality that the model was trained with."""
    return f"{modality} masked"


def _masked(data: ConversationData, modality: str) -> ConversationData:
    """As if the modality had never been observed."""
    features, missing = data.features[modality], data.missing[modality]
    return replace(
        data,
        features={**data.features, modality: np.zeros_like(features)},
        missing={**data.missing, modality: np.ones_like(missing)},
    )


def _condition_table(data: ConversationData, conditions: Mapping[str, Predictions]) -> pa.Table:
    return pa.concat_tables(
        prediction_table(data, predictions).append_column("condition", pa.array([name] * len(data.label)))
        for name, predictions in conditions.items()
    )
