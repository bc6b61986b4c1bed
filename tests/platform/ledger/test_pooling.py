"""Folds of a seed as one cell: every utterance from the cell that tested it, scores of all together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from fmerl.training.evaluation import classification_scores
from fmerl_platform.ledger.pooling import pooled_over_folds
from fmerl_platform.ledger.results import CellRecord

Row = tuple[str, str, int, str, str | None, str]
"""Utterance, dialogue, turn, split, gold, predicted."""


def cell(fold: str, rows: Sequence[Row], seed: int = 0, oracle: float = 0.0) -> CellRecord:
    names = ("utterance_id", "dialogue_id", "turn", "split", "gold", "predicted")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    table = table.set_column(4, "gold", table["gold"].cast(pa.string()))
    return CellRecord(
        corpus="talk",
        variant="FMERL",
        seed=seed,
        fingerprint=f"print {fold}",
        run_id=f"run {fold}",
        metrics={"test_weighted_f1": 0.5, "test_oracle_weighted_f1": 0.5 + oracle, "parameters": 10.0},
        history={"train_loss": [2.0 * len(fold), 1.0]},
        predictions=table,
        conditions=table.append_column("condition", pa.array(["text masked"] * len(rows))),
        fold=fold,
    )


FIRST = cell("a", [("u0", "d1", 1, "test", "joy", "joy"), ("u9", "d2", 0, "validation", "joy", "anger")], oracle=0.1)
SECOND = cell(
    "bbb",
    [
        ("u1", "d1", 0, "test", "anger", "joy"),
        ("u0", "d1", 1, "test", None, "anger"),  # of another speaker, tested by the first fold
        ("u3", "d0", 0, "test", None, "joy"),  # no fold tests it
        ("u2", "d2", 5, "test", "anger", "anger"),
    ],
    oracle=0.4,
)


def test_every_utterance_once_by_the_cell_that_tested_it() -> None:
    (pooled,) = pooled_over_folds([SECOND, FIRST], ["a", "bbb"])
    rows = pooled.predictions.select(["utterance_id", "gold", "predicted", "fold"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("u3", None, "joy", "bbb"),
        ("u1", "anger", "joy", "bbb"),
        ("u0", "joy", "joy", "a"),
        ("u2", "anger", "anger", "bbb"),
    ]
    assert pooled.fold is None
    assert pooled.labelled_test().num_rows == 3


def test_conditions_are_pooled_alike() -> None:
    (pooled,) = pooled_over_folds([FIRST, SECOND], ["a", "bbb"])
    masked = pooled.labelled_test("text masked")
    assert masked["utterance_id"].to_pylist() == ["u1", "u0", "u9", "u2"]  # a condition holds all its rows


def test_scores_are_of_the_pooled_predictions_and_the_rest_are_means() -> None:
    (pooled,) = pooled_over_folds([FIRST, SECOND], ["a", "bbb"])
    expected = classification_scores(np.array([1, 0, 1]), np.array([0, 0, 1]), 2)
    assert {name: pooled.metrics[f"test_{name}"] for name in expected} == pytest.approx(expected)
    gain = pooled.metrics["test_oracle_weighted_f1"] - pooled.metrics["test_weighted_f1"]
    assert gain == pytest.approx((0.1 * 1 + 0.4 * 2) / 3)
    assert pooled.metrics["parameters"] == 10
    assert pooled.history["train_loss"] == [4.0, 1.0]


def test_a_seed_without_all_its_folds_is_left_out() -> None:
    other = cell("a", [("u0", "d1", 1, "test", "joy", "joy")], seed=1)
    assert [each.seed for each in pooled_over_folds([FIRST, SECOND, other], ["a", "bbb"])] == [0]
