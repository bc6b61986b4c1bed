"""Several processes train a cell as one does: losses, weights, predictions; a killed one goes on as if unbroken."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.gloo import free_port, join

from fmerl.checkpoint import Checkpoint
from fmerl.config import CellConfig
from fmerl.training.batching import BatchLoader
from fmerl.training.cell import CellResult, train_cell
from fmerl.training.dataset import ConversationData
from fmerl.training.distributed import split_rows, take_rows

MakeData = Callable[..., ConversationData]


def work(rank: int, size: int, port: int, config: CellConfig, data: Any, anchors: Any, folder: Path) -> None:
    losses: list[dict[str, float]] = []
    result = train_cell(
        config, data, anchors, 0, on_epoch=lambda _, metrics: losses.append(metrics), ranks=join(rank, size, port)
    )
    torch.save((losses, result), folder / f"{rank}.pt")
    dist.destroy_process_group()


def trained(
    size: int, config: CellConfig, data: Any, anchors: Any, folder: Path
) -> list[tuple[list[dict[str, float]], CellResult]]:
    mp.spawn(work, (size, free_port(), config, data, anchors, folder), nprocs=size)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


@pytest.fixture
def config(tiny: CellConfig) -> CellConfig:
    """Without dropout, whose masks each rank draws for itself; with a parameter of the loss, and several steps."""
    return tiny.changed(
        backbone__dropout=0.0,
        contrastive__learn_temperature=True,
        contrastive__candidates="in_batch",
        contrastive__negatives="in_batch",
        training__batch_size=3,
        training__epochs=2,
    )


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_losses_weights_and_predictions_are_those_of_one_process(
    size: int, config: CellConfig, make_data: MakeData, anchors: np.ndarray, tmp_path: Path
) -> None:
    """Batches of 3 dialogues and one left over: with 4 ranks some always have no dialogue of their own."""
    data = make_data()
    alone: list[dict[str, float]] = []
    expected = train_cell(config, data, anchors, 0, on_epoch=lambda _, metrics: alone.append(metrics))
    for losses, result in trained(size, config, data, anchors, tmp_path):
        for mine, theirs in zip(losses, alone, strict=True):
            assert mine == pytest.approx(theirs, abs=1e-5)
        for name, value in expected.weights.items():
            torch.testing.assert_close(result.weights[name], value, atol=1e-4, rtol=1e-4)
        assert result.predictions.column("predicted") == expected.predictions.column("predicted")
        assert result.predictions["utterance_id"].to_pylist() == expected.predictions["utterance_id"].to_pylist()


def test_shares_are_whole_dialogues_and_make_up_the_batch(tiny: CellConfig, make_data: MakeData) -> None:
    data = make_data()
    loader = BatchLoader(data, tiny.tables, tiny.training, torch.device("cpu"))
    for batch in loader.in_order(40):
        for size in (1, 2, 5):
            shares = [take_rows(batch, *share) for share in split_rows(batch, size)]
            assert sorted(row for share in shares for row in share.rows.tolist()) == sorted(batch.rows.tolist())
            for share in shares:
                starts = np.flatnonzero(share.position.numpy() == 0)
                lengths = np.diff([*starts, len(share.rows)]).tolist()
                assert lengths == [turns for dialogues, turns in share.runs for _ in range(dialogues)]


def die_after(epoch: int) -> Callable[[int, dict[str, float]], None]:
    def on_epoch(number: int, metrics: dict[str, float]) -> None:
        if number > epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    return on_epoch


def killed(config: CellConfig, data: Any, anchors: Any, path: Path) -> None:
    train_cell(config, data, anchors, 0, on_epoch=die_after(2), checkpoint=Checkpoint(path, 0.0))


def test_a_killed_cell_goes_on_to_the_same_numbers(
    tiny: CellConfig, make_data: MakeData, anchors: np.ndarray, tmp_path: Path
) -> None:
    config, data = tiny.changed(training__epochs=4), make_data()
    whole: list[dict[str, float]] = []
    expected = train_cell(config, data, anchors, 0, on_epoch=lambda _, metrics: whole.append(metrics))
    path = tmp_path / "cell.resume"
    process = mp.get_context("spawn").Process(target=killed, args=(config, data, anchors, path))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    state = Checkpoint(path).load()
    assert state is not None
    assert len(state["chosen"]["history"]) == 2

    told: list[tuple[int, dict[str, float]]] = []
    result = train_cell(
        config, data, anchors, 0, on_epoch=lambda *item: told.append(item), checkpoint=Checkpoint(path, 0.0)
    )
    assert told == list(enumerate(whole, start=1))
    assert result.predictions.equals(expected.predictions)
    assert result.conditions.equals(expected.conditions)
    timed = {"train_seconds"}
    assert {k: v for k, v in result.metrics.items() if k not in timed} == {
        k: v for k, v in expected.metrics.items() if k not in timed
    }
    for name, value in expected.weights.items():
        assert torch.equal(result.weights[name], value)


def test_a_short_cell_keeps_no_state(
    tiny: CellConfig, make_data: MakeData, anchors: np.ndarray, tmp_path: Path
) -> None:
    train_cell(tiny, make_data(), anchors, 0, checkpoint=Checkpoint(tmp_path / "cell.resume"))
    assert not list(tmp_path.iterdir())


def test_bfloat16_learns(tiny: CellConfig, make_data: MakeData, anchors: np.ndarray) -> None:
    config = tiny.changed(training__precision="bfloat16", training__epochs=4)
    losses: list[float] = []
    result = train_cell(config, make_data(), anchors, 0, on_epoch=lambda _, m: losses.append(m["train_loss"]))
    assert losses[-1] < losses[0]
    assert all(value.dtype != torch.bfloat16 for value in result.weights.values())
