"""Tuning of one encoder, from its loading to the result at the selected epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from fmerl.checkpoint import Checkpoint
from fmerl.corpus import Corpus
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData, check_targets, tuning_data
from fmerl.finetuning.folds import Fold
from fmerl.finetuning.model import longest_input, prepare_encoder
from fmerl.finetuning.packing import PassMaker
from fmerl.finetuning.result import TunedResult, tuned_result
from fmerl.finetuning.stage import OnUpdate, Stage, ignore
from fmerl.finetuning.steps import Tuner
from fmerl.finetuning.system import TunedSystem
from fmerl.finetuning.systems import SYSTEMS
from fmerl.training.cell import OnEpoch
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.loop import deterministic, random_state


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
        tuner = Tuner(model.to(device), data, config, maker, seed, device, ranks)
        state = ranks.from_first(checkpoint.load() if checkpoint else None)
        stage, earlier = Stage(tuner, data, config, state), 0.0 if state is None else state["seconds"]
        on_epoch = on_epoch or ignore
        for epoch, metrics in enumerate(stage.chosen.history, start=1):
            on_epoch(epoch, metrics)

        def keep(stage: Stage) -> None:
            if checkpoint and ranks.rank == 0 and checkpoint.due():
                checkpoint.save({**stage.state(), "seconds": earlier + time.perf_counter() - started})

        stage.train(on_epoch, on_update or ignore, keep)
        return tuned_result(stage.chosen, tuner, data, tokenizer, started=started - earlier)
