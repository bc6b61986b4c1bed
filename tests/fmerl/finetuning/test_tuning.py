"""Tuning of one encoder: what plain PyTorch does, in passes, over ranks, and after any interruption."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from helpers.gloo import free_port, join

from fmerl.checkpoint import Checkpoint
from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.finetuning.cell import finetune
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import check_targets, tuning_data
from fmerl.finetuning.folds import Fold, folds_of
from fmerl.finetuning.model import TunedClassifier, parameter_groups, prepare_encoder
from fmerl.finetuning.result import TunedResult
from fmerl.finetuning.steps import Tuner, rate_factor
from fmerl.training.distributed import ALONE
from fmerl.training.loop import random_state

Losses = list[tuple[int, float]]


def losses_of(corpus: Corpus, config: TuningConfig, **options: Any) -> tuple[Losses, TunedResult]:
    losses: Losses = []
    result = finetune(corpus, config, 0, on_update=lambda number, loss: losses.append((number, loss)), **options)
    return losses, result


def test_updates_are_those_of_plain_pytorch(corpus: Corpus, config: TuningConfig) -> None:
    """Padded batches, the model's own attention, a scheduler of Transformers: nothing of ours but order and groups."""
    from transformers import AutoModel, get_linear_schedule_with_warmup

    found, _ = losses_of(corpus, config)
    tokenizer, encoder, maker = prepare_encoder(config)
    data = tuning_data(corpus, config, tokenizer, 64)
    torch.manual_seed(random_state(0, "init"))
    model = TunedClassifier(encoder, 3, 0.0)
    model.encoder = AutoModel.from_pretrained(config.encoder)
    model.encoder.pooler.requires_grad_(False)
    tuner = Tuner(model, data, config, maker, 0, torch.device("cpu"), ALONE)
    updates = config.epochs * len(tuner.batches(1))
    optimizer = torch.optim.AdamW(parameter_groups(model, config))
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(0.1 * updates), updates)
    expected = []
    for rows in (rows for epoch in (1, 2) for rows in tuner.batches(epoch)):
        chosen = [data.sequences[row] for row in rows]
        batch = tokenizer.pad({"input_ids": [each.ids for each in chosen]}, return_tensors="pt")
        states = model.encoder(**batch).last_hidden_state
        means = [states[row, each.read.start : each.read.stop].mean(0) for row, each in enumerate(chosen)]
        loss = F.cross_entropy(model.head(torch.stack(means)), torch.from_numpy(data.learned[rows]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        expected.append(loss.item())
    assert [loss for _, loss in found] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("updates", [1, 7, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.6])
def test_rates_are_those_of_transformers(updates: int, warmup: float) -> None:
    from transformers import get_linear_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(warmup * updates), updates)
    for update in range(updates):
        assert rate_factor(update, updates, math.ceil(warmup * updates)) == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


def test_the_size_of_passes_changes_no_loss(corpus: Corpus, config: TuningConfig) -> None:
    many, _ = losses_of(corpus, replace(config, pass_tokens=1))
    one, _ = losses_of(corpus, replace(config, pass_tokens=10_000))
    assert [loss for _, loss in many] == pytest.approx([loss for _, loss in one], abs=1e-5)


def test_results_are_a_systems(corpus: Corpus, tuned: TunedResult) -> None:
    splits = tuned.predictions["split"].value_counts()
    sizes = {row["values"].as_py(): row["counts"].as_py() for row in splits}
    expected = {name: sum(each.split == name for each in corpus.utterances()) for name in ("validation", "test")}
    assert sizes == expected
    for row in tuned.predictions.slice(0, 20).to_pylist():
        assert row["predicted"] == corpus.classes[max(range(3), key=row["scores"].__getitem__)]
        assert sum(map(math.exp, row["scores"])) == pytest.approx(1, abs=1e-4)
        assert row["valence"] is None
    test = tuned.predictions.filter(pc.field("split") == "test")
    right = sum(row["gold"] == row["predicted"] for row in test.to_pylist())
    assert tuned.metrics["test_accuracy"] == pytest.approx(right / len(test))
    assert len(tuned.conditions) == len(test)


def test_an_encoder_learns(corpus: Corpus, config: TuningConfig) -> None:
    losses: list[float] = []
    finetune(
        corpus,
        replace(config, input="utterance", epochs=8, learning_rate=3e-3),
        0,
        on_epoch=lambda _, metrics: losses.append(metrics["train_loss"]),
    )
    assert losses[-1] < 0.75 * losses[0]


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("at", [1, 12, 13, 14, 20])
def test_an_interrupted_encoder_ends_with_the_same_bits(
    corpus: Corpus, config: TuningConfig, tmp_path: Path, at: int
) -> None:
    """With dropout, within an epoch and around its end; the state is kept after every update."""
    with_dropout = replace(config, dropout=0.2)
    unbroken, expected = losses_of(corpus, with_dropout)
    assert at < len(unbroken)
    broken: Losses = []

    def stop(number: int, loss: float) -> None:
        broken.append((number, loss))
        if number == at:
            raise StoppedError

    checkpoint = Checkpoint(tmp_path / "state", 0.0)
    with pytest.raises(StoppedError):
        finetune(corpus, with_dropout, 0, on_update=stop, checkpoint=checkpoint)
    rest, result = losses_of(corpus, with_dropout, checkpoint=checkpoint)
    assert broken[:-1] + rest == unbroken
    assert result.predictions == expected.predictions
    assert result.conditions == expected.conditions
    for name, weight in expected.system.state_dict().items():
        assert torch.equal(weight, result.system.state_dict()[name]), name


def killed_work(
    rank: int, size: int, port: int, corpus: Corpus, config: TuningConfig, folder: Path, killed: int | None
) -> None:
    def stop(number: int, loss: float) -> None:
        if number == 6 and rank == killed:
            os.kill(os.getpid(), signal.SIGKILL)

    result = finetune(
        corpus, config, 0, on_update=stop, checkpoint=Checkpoint(folder / "state", 0.0), ranks=join(rank, size, port)
    )
    torch.save(result.predictions.to_pylist(), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank_goes_on_to_the_same_bits(
    corpus: Corpus, config: TuningConfig, tmp_path: Path, killed: int
) -> None:
    with_dropout = replace(config, dropout=0.2)
    for name in ("broken", "unbroken"):
        (tmp_path / name).mkdir()
    with pytest.raises(mp.ProcessExitedException, match="SIGKILL"):
        mp.spawn(killed_work, (2, free_port(), corpus, with_dropout, tmp_path / "broken", killed), nprocs=2)
    for name in ("broken", "unbroken"):
        mp.spawn(killed_work, (2, free_port(), corpus, with_dropout, tmp_path / name, None), nprocs=2)
    broken, unbroken = (torch.load(tmp_path / name / "0.pt", weights_only=False) for name in ("broken", "unbroken"))
    assert broken == unbroken


def test_neither_a_class_held_out_nor_a_fold_is_learned(corpus: Corpus, config: TuningConfig) -> None:
    tokenizer, _, _ = prepare_encoder(config)
    fold = Fold(number=1, of=3)
    data = tuning_data(corpus, config, tokenizer, 64, unseen=["joy"], fold=fold)
    left_out = fold.dialogues(corpus)
    seen = [data.utterances[row] for row in data.train_rows()]
    assert {each.emotion for each in seen} == {"neutral", "anger"}
    assert not {each.dialogue_id for each in seen} & left_out
    assert {each.split for each in seen} == {"train"}
    assert (data.learned[data.rows("validation")] != 1).all()
    assert (data.gold[data.rows("test")] == 1).any()


def test_every_training_dialogue_has_one_fold(corpus: Corpus) -> None:
    folds = folds_of(corpus, 4)
    assert set(folds) == {each.dialogue_id for each in corpus.dialogues if each.split == "train"}
    sizes = [list(folds.values()).count(number) for number in range(4)]
    assert max(sizes) - min(sizes) <= 1
    with pytest.raises(InputError, match="fewer folds"):
        folds_of(corpus, 1000)


def test_a_class_that_train_lacks_is_refused(corpus: Corpus) -> None:
    more = replace(corpus, classes=(*corpus.classes, "fear"))
    with pytest.raises(InputError, match="fear"):
        check_targets(more, ())
    check_targets(more, ("fear",))


@pytest.mark.parametrize(
    "values",
    [{"epochs": 0}, {"layer_decay": 1.5}, {"warmup": 1.0}, {"clip": 0.0}, {"context_turns": -1}, {"input": "all"}],
)
def test_settings_out_of_their_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        TuningConfig(**values)
