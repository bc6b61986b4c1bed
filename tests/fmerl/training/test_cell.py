"""One cell from end to end: the same numbers twice, an honest epoch, and no look at the test set."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

import fmerl
from fmerl.config import CellConfig
from fmerl.training.batching import BatchLoader
from fmerl.training.cell import CellResult, train_cell
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import predict
from fmerl.training.loop import build_model, deterministic

MakeData = Callable[..., ConversationData]
CPU = torch.device("cpu")
Run = tuple[list[dict[str, float]], CellResult]


def run(config: CellConfig, data: ConversationData, anchors: np.ndarray, seed: int = 0) -> Run:
    history: list[dict[str, float]] = []
    result = train_cell(config, data, anchors, seed, on_epoch=lambda _, metrics: history.append(metrics), device=CPU)
    return history, result


def without_time(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name != "train_seconds"}


def assert_same(one: Run, other: Run) -> None:
    """Bit for bit."""
    assert one[0] == other[0]
    assert without_time(one[1].metrics) == without_time(other[1].metrics)
    assert one[1].predictions.equals(other[1].predictions)
    assert_same_weights(one, other)


def assert_same_weights(one: Run, other: Run) -> None:
    assert list(one[1].weights) == list(other[1].weights)
    assert all(torch.equal(value, other[1].weights[name]) for name, value in one[1].weights.items())


@pytest.fixture(scope="module")
def first(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> Run:
    return run(tiny, make_data(), anchors)


def test_same_seed_same_bits(first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    torch.manual_seed(1234)
    assert_same(run(tiny, make_data(), anchors), first)


FRESH = """
import pickle, sys
from test_cell import run
with open(sys.argv[1], "rb") as file:
    arguments = pickle.load(file)
with open(sys.argv[2], "wb") as file:
    pickle.dump(run(*arguments), file)
"""


def test_same_bits_in_a_fresh_process(
    first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "arguments").write_bytes(pickle.dumps((tiny, make_data(), anchors)))
    paths = [str(Path(fmerl.__file__).parents[1]), str(Path(__file__).parent)]
    subprocess.run(
        [sys.executable, "-c", FRESH, tmp_path / "arguments", tmp_path / "result"],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "77"},
    )
    assert_same(pickle.loads((tmp_path / "result").read_bytes()), first)


def test_another_seed_differs(first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    history, result = run(tiny, make_data(), anchors, seed=1)
    assert history != first[0]
    assert not result.predictions.equals(first[1].predictions)


def test_global_state_is_untouched(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    state, flag, threads = (
        torch.get_rng_state(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
    )
    torch.set_num_threads(2)
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    try:
        run(tiny, make_data(), anchors)
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled() == flag
        assert torch.equal(torch.get_rng_state(), state)
        assert np.random.rand() == expected
    finally:
        torch.set_num_threads(threads)


def test_it_learns_and_beats_the_majority(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data(((6,) * 40, (6,) * 8, (6,) * 12), noise=0.5, missing=0.05)
    history, result = run(tiny.changed(training__epochs=8), data, anchors)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    gold = data.subset("test").label
    majority = np.bincount(gold[gold >= 0]).max() / (gold >= 0).sum()
    assert result.metrics["test_accuracy"] > majority + 0.3
    rows = [row for row in result.predictions.to_pylist() if row["split"] == "test"]
    scores = data.subset("test").vad
    known = ~np.isnan(scores[:, 0])
    predicted = np.array([row["valence"] for row in rows])
    assert np.corrcoef(predicted[known], scores[known, 0])[0, 1] > 0.3


def test_final_metrics(first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    history, result = first
    assert {
        "test_weighted_f1",
        "test_accuracy",
        "test_macro_f1",
        "test_oracle_weighted_f1",
        "selected_epoch",
        "train_seconds",
        "parameters",
    } <= set(result.metrics)
    assert all(isinstance(value, float) for value in result.metrics.values())
    model = build_model(tiny, make_data().subset("train"), anchors, 0)
    assert result.metrics["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert len(history) == tiny.training.epochs


def test_predictions_are_the_selected_weights_on_validation_and_test(
    first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data, (history, result) = make_data(), first
    model = build_model(tiny, data.subset("train"), anchors, 0)
    model.load_state_dict(result.weights)
    predictions = []
    for split in ("validation", "test"):
        part = data.subset(split)
        with deterministic(tiny.training.threads):
            predictions.append(predict(model, BatchLoader(part, tiny.tables, tiny.training, CPU)))
    table = result.predictions
    np.testing.assert_array_equal(
        np.array(table["scores"].to_pylist(), dtype=np.float32), np.concatenate([p.scores for p in predictions])
    )
    assert table["utterance_id"].to_pylist() == data.subset("validation", "test").utterance_id.tolist()
    right = pa.compute.equal(table["gold"], table["predicted"]).to_pylist()
    split = table["split"].to_pylist()
    hits = {name: [r for r, s in zip(right, split, strict=True) if s == name and r is not None] for name in set(split)}
    assert np.mean(hits["test"]) == pytest.approx(result.metrics["test_accuracy"])
    selected = history[int(result.metrics["selected_epoch"]) - 1]
    assert np.mean(hits["validation"]) == pytest.approx(selected["validation_accuracy"])


@pytest.mark.parametrize("seed", range(4))
def test_the_first_best_validation_epoch_is_reported(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, seed: int
) -> None:
    history, result = run(tiny, make_data(), anchors, seed)
    curve = [epoch["validation_weighted_f1"] for epoch in history]
    selected = curve.index(max(curve)) + 1
    assert result.metrics["selected_epoch"] == selected
    last = {
        epochs: run(tiny.changed(training__epochs=epochs, training__selection="last"), make_data(), anchors, seed)
        for epochs in range(1, tiny.training.epochs + 1)
    }
    assert_same_weights(last[selected], (history, result))
    assert last[selected][1].predictions.equals(result.predictions)
    on_test = [each.metrics["test_weighted_f1"] for _, each in last.values()]
    assert result.metrics["test_weighted_f1"] == on_test[selected - 1]
    assert result.metrics["test_oracle_weighted_f1"] == max(on_test) >= result.metrics["test_weighted_f1"]


def test_of_equal_epochs_the_first_is_reported(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    still = tiny.changed(training__learning_rate=1e-12)
    assert run(still, make_data(), anchors)[1].metrics["selected_epoch"] == 1
    last = run(still.changed(training__selection="last"), make_data(), anchors)[1]
    assert last.metrics["selected_epoch"] == tiny.training.epochs


def test_nothing_of_the_test_set_reaches_training(
    first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    test = np.repeat(data.split == 2, np.diff(data.offsets))
    nan = np.float32(np.nan)
    poisoned = replace(
        data,
        label=np.where(test, (data.label + 2) % 4, data.label),
        vad=np.where(test[:, None], nan, data.vad),
        features={name: np.where(test[:, None], nan, values) for name, values in data.features.items()},
        missing={name: np.where(test, False, values) for name, values in data.missing.items()},
        speaker=np.where(test, 50, data.speaker),
    )
    history, result = run(tiny, poisoned, anchors)
    assert history == first[0]
    assert_same_weights((history, result), first)
    assert result.metrics["selected_epoch"] == first[1].metrics["selected_epoch"]
    validation = [pa.compute.equal(r.predictions["split"], "validation") for r in (result, first[1])]
    assert result.predictions.filter(validation[0]).equals(first[1].predictions.filter(validation[1]))
    assert not result.predictions.equals(first[1].predictions)


def hold_out(data: ConversationData, config: CellConfig, how: str) -> tuple[CellConfig, np.ndarray]:
    """A zero-shot cell, and the rows of train and validation whose class it holds out."""
    return (
        config.changed(training__unseen_classes=("class 2", "class 3"), training__unseen_utterances=how),
        np.repeat(data.split < 2, np.diff(data.offsets)) & np.isin(data.label, [2, 3]),
    )


@pytest.mark.parametrize("how", ["context", "deleted"])
def test_no_label_or_score_of_an_unseen_class_reaches_training(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, how: str
) -> None:
    data = make_data()
    zero_shot, unseen = hold_out(data, tiny, how)
    poisoned = replace(
        data,
        label=np.where(unseen, 5 - data.label, data.label),  # which of the two it was
        vad=np.where(unseen[:, None], np.float32(1e6), data.vad),
    )
    if how == "deleted":
        features = {name: np.where(unseen[:, None], np.float32(np.nan), v) for name, v in data.features.items()}
        poisoned = replace(poisoned, features=features)
    clean, dirty = run(zero_shot, data, anchors), run(zero_shot, poisoned, anchors)
    assert dirty[0] == clean[0]
    assert_same_weights(dirty, clean)
    assert clean[0] != run(tiny, data, anchors)[0]


def test_unseen_as_context_is_training_on_unlabelled_utterances(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    zero_shot, unseen = hold_out(data, tiny, "context")
    unlabelled = replace(
        data,
        label=np.where(unseen, -1, data.label),
        vad=np.where(unseen[:, None], np.float32(np.nan), data.vad),
    )
    held_out, by_hand = run(zero_shot, data, anchors), run(tiny, unlabelled, anchors)
    assert held_out[0] == by_hand[0]
    assert_same_weights(held_out, by_hand)
    assert held_out[1].metrics["test_weighted_f1"] == by_hand[1].metrics["test_weighted_f1"]


@pytest.mark.parametrize("how", ["context", "deleted"])
def test_the_ledger_keeps_the_unseen_class(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, how: str
) -> None:
    data = make_data()
    table = run(hold_out(data, tiny, how)[0], data, anchors)[1].predictions
    assert table["utterance_id"].to_pylist() == data.subset("validation", "test").utterance_id.tolist()
    for split in ("validation", "test"):
        rows = table.filter(pa.compute.equal(table["split"], split))
        assert {"class 2", "class 3"} & set(rows["gold"].to_pylist())


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone__modalities": ("text",)},
        {"backbone__unimodal_gate": "identity", "regression__target": "linear"},
        {"regression__dimensions": ()},
        {"contrastive__negative_weight": 0.0, "contrastive__candidates": "in_batch"},
        {"contrastive__learn_temperature": True, "contrastive__class_weights": "inverse_frequency"},
        {"contrastive__reduction": "sum", "contrastive__negatives": "in_batch"},
        {"training__batch_unit": "utterances", "training__batch_size": 9},
        {"training__train_on_validation": True, "training__selection": "last"},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_switches_train(
    first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, changes: dict[str, object]
) -> None:
    history, result = run(tiny.changed(**changes), make_data(), anchors)
    assert history != first[0]
    assert all(value.isfinite().all() for value in result.weights.values())
    assert 0 <= result.metrics["test_weighted_f1"] <= result.metrics["test_oracle_weighted_f1"] <= 1


def test_predictions_after_the_first_epoch_are_kept(
    first: Run, make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    conditions = first[1].conditions
    assert set(conditions["condition"].to_pylist()) == {"first epoch"}
    once = run(tiny.changed(training__epochs=1), make_data(), anchors)[1].predictions
    assert conditions.drop_columns("condition").equals(once.filter(pa.compute.field("split") == "test"))
