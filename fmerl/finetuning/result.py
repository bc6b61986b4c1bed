"""What tuning leaves: scores of every epoch, and the result at the selected one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from fmerl.finetuning.data import TuningData, predictions_of
from fmerl.finetuning.steps import Tuner
from fmerl.finetuning.system import TunedSystem
from fmerl.training.cell import FIRST_EPOCH
from fmerl.training.evaluation import classification_scores
from fmerl.training.selection import Selection


@dataclass(frozen=True, kw_only=True)
class TunedResult:
    """A tuned encoder."""

    metrics: dict[str, float]
    """Final metrics, named as a cell's (`fmerl.training.cell.CellResult`)."""
    predictions: pa.Table
    """Validation and test rows at the selected epoch; scores are log-probabilities."""
    conditions: pa.Table
    """Test rows after the first epoch."""
    system: TunedSystem
    """At the selected epoch, on the CPU."""
    tokenizer: Any


def score_epoch(chosen: Selection, tuner: Tuner, data: TuningData, train_loss: float) -> dict[str, float]:
    """Score validation for the choice of the epoch, and test for the report; returns the epoch's metrics."""
    validation, test, classes = data.rows("validation"), data.rows("test"), len(data.classes)
    found = classification_scores(data.learned[validation], tuner.scores(validation).argmax(1), classes)
    metrics = {
        "train_loss": train_loss,
        "validation_weighted_f1": found["weighted_f1"],
        "validation_accuracy": found["accuracy"],
    }
    predictions = predictions_of(tuner.scores(test))
    scores = classification_scores(data.gold[test], predictions.predicted, classes)
    chosen.add(metrics, predictions, scores, tuner.model)  # type: ignore[arg-type]
    return metrics


def tuned_result(
    chosen: Selection, tuner: Tuner, data: TuningData, tokenizer: Any, *, started: float, epochs_before: int = 0
) -> TunedResult:
    """The result of tuning, whose model has the selected epoch's weights.

    Args:
        chosen: The selected epoch.
        tuner: Scores with the model.
        data: The corpus.
        tokenizer: The encoder's.
        started: When tuning started, by `time.perf_counter`, earlier runs of it counted.
        epochs_before: Epochs of earlier stages.
    """
    assert chosen.first is not None
    assert chosen.predictions is not None
    validation, test, model = data.rows("validation"), data.rows("test"), tuner.model
    both = np.concatenate([tuner.scores(validation), chosen.predictions.scores])
    return TunedResult(
        metrics={
            **{f"test_{name}": value for name, value in chosen.scores.items()},
            "test_oracle_weighted_f1": chosen.oracle,
            "validation_selected_weighted_f1": chosen.best_score,
            "selected_epoch": float(epochs_before + chosen.epoch),
            "train_seconds": time.perf_counter() - started,
            "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        },
        predictions=data.table(np.concatenate([validation, test]), both),
        conditions=data.table(test, chosen.first.scores).append_column(
            "condition", pa.array([FIRST_EPOCH] * len(test))
        ),
        system=model.cpu().eval(),
        tokenizer=tokenizer,
    )
