"""Tuning of one encoder, from its loading to the result at the selected epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from fmerl.checkpoint import Checkpoint
from fmerl.corpus import Corpus
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData, check_targets, tuning_data
from fmerl.finetuning.folds import Fold
from fmerl.finetuning.model import longest_input, prepare_encoder
from fmerl.finetuning.packing import PassMaker
from fmerl.finetuning.result import TunedResult, score_epoch, tuned_result
from fmerl.finetuning.steps import Tuner
from fmerl.finetuning.system import TunedSystem
from fmerl.finetuning.systems import SYSTEMS
from fmerl.training.cell import OnEpoch
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.loop import DivergedError, deterministic, random_state
from fmerl.training.selection import Selection

OnUpdate = Callable[[int, float], None]
"""Called after each update with its number, from 0, and its mean loss."""


def prepare(
    corpus: Corpus, config: TuningConfig, seed: int = 0, *, unseen: Sequence[str] = (), fold: Fold | None = None
) -> tuple[Any, TunedSystem, TuningData, PassMaker]:
    """Tokenizer, system before it is tuned, the corpus as it reads it, and the maker of its passes.

    Raises:
        InputError: An encoder that cannot be used, or settings that it or the corpus does not fit.
    """
    tokenizer, encoder, maker = prepare_encoder(config, seed)
    data = tuning_data(corpus, config, tokenizer, longest_input(tokenizer, encoder), unseen=unseen, fold=fold)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state(seed, "init"))
        system = SYSTEMS[config.system].create(encoder, config, data)
    return tokenizer, system, data, maker


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
        tokenizer, model, data, maker = prepare(corpus, config, seed, unseen=unseen, fold=fold)
        model = model.to(device)
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
            metrics = score_epoch(chosen, tuner, data, losses / sum(map(len, batches)))
            losses = 0.0
            if on_epoch:
                on_epoch(epoch, metrics)
        model.load_state_dict(chosen.weights)
        return tuned_result(chosen, tuner, data, tokenizer, started=started - earlier)


def _without_gain(history: Sequence[dict[str, float]]) -> int:
    """Epochs after the first whose validation score is not above that of every one before."""
    best, count = -math.inf, 0
    for metrics in history:
        count += metrics["validation_weighted_f1"] <= best
        best = max(best, metrics["validation_weighted_f1"])
    return count
