"""Tuning of one encoder: its metrics, its predictions, and the system at the selected epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from fmerl.checkpoint import Checkpoint
from fmerl.corpus import Corpus
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import check_targets, predictions_of, tuning_data
from fmerl.finetuning.folds import Fold
from fmerl.finetuning.model import longest_input, prepare_encoder
from fmerl.finetuning.steps import Tuner
from fmerl.finetuning.system import TunedSystem
from fmerl.finetuning.systems import SYSTEMS
from fmerl.training.cell import FIRST_EPOCH, OnEpoch
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.evaluation import classification_scores
from fmerl.training.loop import DivergedError, deterministic, random_state
from fmerl.training.selection import Selection

OnUpdate = Callable[[int, float], None]
"""Called after each update with its number, from 0, and its mean loss."""


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


def finetune(
    corpus: Corpus,
    config: TuningConfig,
    seed: int,
    *,
    unseen: Sequence[str] = (),
    fold: Fold | None = None,
    on_epoch: OnEpoch | None = None,
    on_update: OnUpdate | None = None,
    device: torch.device | None = None,
    checkpoint: Checkpoint | None = None,
    ranks: Ranks = ALONE,
) -> TunedResult:
    """Tune an encoder on train and select the epoch on validation. Same arguments, same numbers, wherever interrupted.

    Test predictions are made after every epoch, only to report what picking it on the test set would have given.

    Args:
        corpus: All three splits.
        config: Settings.
        seed: Decides the first weights of all that is not pre-trained, data order and dropout.
        unseen: Classes whose labels neither training nor selection sees.
        fold: Part of train whose labels training does not see.
        on_epoch: For progress and logging; for an encoder that goes on, called again for the earlier epochs.
        on_update: For loss curves; not called again for earlier updates.
        device: By default the first GPU where there is one, else the CPU.
        checkpoint: Keeps the state to go on from, also within an epoch. Rank 0 alone reads and writes it.
        ranks: This process among those that tune the encoder.

    Raises:
        InputError: A corpus, encoder or length that cannot be used.
        DivergedError: The loss left the finite numbers.
    """
    device, started = device or torch.device("cuda" if torch.cuda.is_available() else "cpu"), time.perf_counter()
    check_targets(corpus, unseen)
    with deterministic(config.threads):
        tokenizer, encoder, maker = prepare_encoder(config, seed)
        data = tuning_data(corpus, config, tokenizer, longest_input(tokenizer, encoder), unseen=unseen, fold=fold)
        torch.manual_seed(random_state(seed, "init"))
        model = SYSTEMS[config.system].create(encoder, config, data).to(device)
        tuner = Tuner(model, data, config, maker, seed, device, ranks)
        state = ranks.from_first(checkpoint.load() if checkpoint else None)
        if state is not None:
            model.load_state_dict(state["model"])
            tuner.optimizer.load_state_dict(state["optimizer"])
        chosen = Selection(by="validation") if state is None else Selection.of_state(state["chosen"])
        done, losses = (0, 0.0) if state is None else (state["updates"], state["losses"])
        earlier = chosen.seconds
        for epoch, metrics in enumerate(chosen.history, start=1):
            if on_epoch:
                on_epoch(epoch, metrics)

        def keep() -> None:
            if checkpoint and ranks.rank == 0 and checkpoint.due():
                chosen.seconds = earlier + time.perf_counter() - started
                checkpoint.save(
                    {
                        "model": model.state_dict(),
                        "optimizer": tuner.optimizer.state_dict(),
                        "chosen": chosen.state(),
                        "updates": done,
                        "losses": losses,
                    }
                )

        validation, test = data.rows("validation"), data.rows("test")
        for epoch in range(len(chosen.history) + 1, config.epochs + 1):
            if config.patience and _without_gain(chosen.history) >= config.patience:
                break
            batches = tuner.batches(epoch)
            first = done - (epoch - 1) * len(batches)
            if first == 0:
                tuner.begin_epoch()
            for rows in batches[first:]:
                loss = tuner.update(done, rows)
                if not math.isfinite(loss):
                    raise DivergedError(f"the loss is {loss} at update {done}; lower --learning-rate")
                if on_update:
                    on_update(done, loss / len(rows))
                done, losses = done + 1, losses + loss
                keep()
            metrics = {
                "train_loss": losses / sum(map(len, batches)),
                **_validation(data.learned[validation], tuner.scores(validation), len(data.classes)),
            }
            predictions = predictions_of(tuner.scores(test))
            scores = classification_scores(data.gold[test], predictions.predicted, len(data.classes))
            chosen.add(metrics, predictions, scores, model)  # type: ignore[arg-type]
            losses = 0.0
            if on_epoch:
                on_epoch(epoch, metrics)
        assert chosen.first is not None
        assert chosen.predictions is not None
        model.load_state_dict(chosen.weights)
        both = np.concatenate([tuner.scores(validation), chosen.predictions.scores])
    return TunedResult(
        metrics={
            **{f"test_{name}": value for name, value in chosen.scores.items()},
            "test_oracle_weighted_f1": chosen.oracle,
            "validation_selected_weighted_f1": chosen.best_score,
            "selected_epoch": float(chosen.epoch),
            "train_seconds": earlier + time.perf_counter() - started,
            "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        },
        predictions=data.table(np.concatenate([validation, test]), both),
        conditions=data.table(test, chosen.first.scores).append_column(
            "condition", pa.array([FIRST_EPOCH] * len(test))
        ),
        system=model.cpu().eval(),
        tokenizer=tokenizer,
    )


def _validation(gold: NDArray[np.int64], scores: NDArray[np.float32], n_classes: int) -> dict[str, float]:
    found = classification_scores(gold, scores.argmax(1), n_classes)
    return {"validation_weighted_f1": found["weighted_f1"], "validation_accuracy": found["accuracy"]}


def _without_gain(history: Sequence[dict[str, float]]) -> int:
    """Epochs after the first whose validation score is not above that of every one before."""
    best, count = -math.inf, 0
    for metrics in history:
        count += metrics["validation_weighted_f1"] <= best
        best = max(best, metrics["validation_weighted_f1"])
    return count
