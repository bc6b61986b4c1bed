"""Tuning of MPLP in its two stages, each with its own epochs, rates and choice of the epoch on validation.

The second stage starts from the weights that the first one's best epoch had, and from the states that they give every
utterance in evaluation mode. A state to go on from tells the stage that it is of.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fmerl.checkpoint import Checkpoint
from fmerl.corpus import Corpus
from fmerl.features.text.encoder import load_encoder
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData, check_targets, tuning_data
from fmerl.finetuning.folds import Fold
from fmerl.finetuning.model import longest_input
from fmerl.finetuning.mplp.inputs import PromptedTexts
from fmerl.finetuning.mplp.model import MPLP, PromptedOutput
from fmerl.finetuning.packing import PassMaker
from fmerl.finetuning.result import TunedResult, tuned_result
from fmerl.finetuning.stage import OnUpdate, Stage, ignore
from fmerl.finetuning.steps import Tuner
from fmerl.training.cell import OnEpoch
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.loop import deterministic, random_state

_EPSILON = 1e-6


class ChunkTuner(Tuner):
    """An update takes consecutive turns of one dialogue; the outputs hold the paraphrase's loss."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        for group in self.optimizer.param_groups:
            group["eps"] = _EPSILON

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Rows of every chunk of at most `batch_size` turns with a target, in an order drawn from (seed, epoch)."""
        size, utterances = self._config.batch_size, self._data.utterances
        dialogues = groupby(self._data.train_rows().tolist(), key=lambda row: utterances[row].dialogue_id)
        turns = [np.array(list(rows), dtype=np.int64) for _, rows in dialogues]
        chunks = [rows[start : start + size] for rows in turns for start in range(0, len(rows), size)]
        order = torch.Generator().manual_seed(random_state(self._seed, "order", epoch))
        return [chunks[place] for place in torch.randperm(len(chunks), generator=order).tolist()]

    def states(self) -> Tensor:
        """States of all utterances [U, D] in evaluation mode, on the CPU and the same on every rank."""
        return self._evaluated(np.arange(len(self._data.utterances)), lambda output: output.states[:, 0])

    def _output(self, called: nn.Module, batch: Any) -> Any:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bfloat16"):
            output = called(batch.to(self._device))
        return PromptedOutput(*(part.float() for part in output))


def prepare_mplp(
    corpus: Corpus, config: TuningConfig, seed: int = 0, *, unseen: Sequence[str] = (), fold: Fold | None = None
) -> tuple[Any, MPLP, TuningData, PassMaker]:
    """Tokenizer, model, the corpus as it reads it, and the maker of its passes.

    Raises:
        InputError: No encoder-decoder with a mask, or settings that it or the corpus does not fit.
    """
    tokenizer, encoder = load_encoder(config.encoder, decoder=True)
    longest = longest_input(tokenizer, encoder)
    data = tuning_data(corpus, config, tokenizer, longest, unseen=unseen, fold=fold)
    start = encoder.config.decoder_start_token_id
    texts = PromptedTexts(tokenizer, start, longest, config, data.utterances, data.classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state(seed, "init"))
        model = MPLP(encoder, config, data, texts)
    maker = PassMaker(packed=False, first_position=0, padding=tokenizer.pad_token_id, tokens=config.pass_tokens)
    return tokenizer, model, replace(data, sequences=texts.first_stage), maker


def tune_mplp(
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
    """Tune MPLP as `fmerl.finetuning.cell.finetune` tunes other systems; epochs and updates count over both stages.

    What is reported is the last stage's: the first one's test scores neither choose nor enter the oracle.

    Raises:
        InputError: See `prepare_mplp`; or a corpus that cannot be used.
        DivergedError: The loss left the finite numbers.
    """
    device, started = device or torch.device("cuda" if torch.cuda.is_available() else "cpu"), time.perf_counter()
    check_targets(corpus, unseen)
    plans = [replace(config, epochs=config.mplp.first_epochs, warmup=config.mplp.first_warmup), config]
    last = 1 if config.mplp.stages == "first" else 2
    with deterministic(config.threads):
        tokenizer, model, data, maker = prepare_mplp(corpus, config, seed, unseen=unseen, fold=fold)
        model = model.to(device)
        state = ranks.from_first(checkpoint.load() if checkpoint else None)
        first, earlier = (1, 0.0) if state is None else (state["stage"], state["seconds"])
        told: list[dict[str, float]] = [] if state is None else state["told"]
        on_epoch, on_update = on_epoch or ignore, on_update or ignore
        for epoch, metrics in enumerate(told, start=1):
            on_epoch(epoch, metrics)

        def tell(_: int, metrics: dict[str, float]) -> None:
            told.append(metrics)
            on_epoch(len(told), metrics)

        def update(made: int, loss: float) -> None:
            on_update(updates_before + made, loss)

        def keep(stage: Stage) -> None:
            if checkpoint and ranks.rank == 0 and checkpoint.due():
                seconds = earlier + time.perf_counter() - started
                checkpoint.save({**stage.state(), "stage": number, "told": told, "seconds": seconds})

        for number in range(first, last + 1):
            plan, before = plans[number - 1], plans[0].epochs * (number - 1)
            model.begin_stage(number)
            tuner = ChunkTuner(model, data, plan, maker, random_state(seed, "stage", number), device, ranks)
            stage, state = Stage(tuner, data, plan, state), None
            updates_before = before * len(tuner.batches(1))
            stage.train(tell, update, keep)
            if number < last:
                model.remember(tuner.states())
        return tuned_result(stage.chosen, stage.tuner, data, tokenizer, started=started - earlier, epochs_before=before)
