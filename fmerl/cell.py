"""The door: train one cell, get its metrics, its predictions and its weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.batching import BatchLoader
from fmerl.config import CellConfig
from fmerl.dataset import ConversationData
from fmerl.evaluation import Predictions, classification_scores, predict, prediction_table
from fmerl.training import build_model, deterministic, train_epochs

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
    """Validation and test rows at the selected epoch (`fmerl.evaluation.prediction_table`)."""
    conditions: pa.Table
    """The same columns and `condition`, test rows only: after the `first epoch`, and, of a model that reads several
    modalities, at the selected epoch with each `<modality> masked`."""
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
) -> CellResult:
    """Train one cell. Same arguments, same numbers: on CPU bit for bit.

    The epoch is selected on validation (or is the last, as configured). Test predictions are made after every epoch
    outside the training loop, only to report beside the selected epoch what picking it on the test set would have
    given (`test_oracle_weighted_f1`).

    Args:
        config: The cell's configuration.
        data: All three splits.
        anchors: Encoded descriptions in label order, [C, E].
        seed: Decides initial weights, data order and dropout.
        on_epoch: For progress and logging.
        device: Default: the first GPU where there is one, else the CPU.

    Raises:
        fmerl.training.DivergedError: The loss left the finite numbers.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    test = data.subset("test")
    seen = data.subset("train", "validation").without_classes(
        config.training.unseen_classes, config.training.unseen_utterances
    )
    started = time.perf_counter()
    with deterministic(config.training.threads):
        model = build_model(config, seen.subset("train"), anchors, seed).to(device)
        test_loader = BatchLoader(test, config.backbone.modalities, config.training, device)
        best_score, oracle = -1.0, 0.0
        for epoch, metrics in enumerate(train_epochs(model, seen, seed, device), start=1):
            predictions = predict(model, test_loader)
            scores = classification_scores(test.label, predictions.predicted, len(test.classes))
            oracle = max(oracle, scores["weighted_f1"])
            if epoch == 1:
                conditions = {FIRST_EPOCH: predictions}
            if config.training.selection == "last" or metrics["validation_weighted_f1"] > best_score:
                best_score, selected, selected_scores = metrics["validation_weighted_f1"], epoch, scores
                selected_predictions = predictions
                weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
            if on_epoch:
                on_epoch(epoch, metrics)
        model.load_state_dict(weights)
        validation = data.subset("validation")
        validation_loader = BatchLoader(validation, config.backbone.modalities, config.training, device)
        both = Predictions(
            *map(np.concatenate, zip(predict(model, validation_loader), selected_predictions, strict=True))
        )
        if len(config.backbone.modalities) > 1:
            for modality in config.backbone.modalities:
                masked = BatchLoader(_masked(test, modality), config.backbone.modalities, config.training, device)
                conditions[masked_condition(modality)] = predict(model, masked)
    return CellResult(
        metrics={
            **{f"test_{name}": value for name, value in selected_scores.items()},
            "test_oracle_weighted_f1": oracle,
            "validation_selected_weighted_f1": best_score,
            "selected_epoch": float(selected),
            "train_seconds": time.perf_counter() - started,
            "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        },
        predictions=prediction_table(data.subset("validation", "test"), both),
        conditions=_condition_table(test, conditions),
        weights=weights,
    )


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
