"""Temperatures against what is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fmerl.bundle.calibration import fit_temperature, probabilities
from fmerl.bundle.manifest import Manifest
from fmerl.bundle.predictions import scores_and_gold, seen_validation


@pytest.mark.parametrize("temperature", [0.07, 1.0, 8.0])
def test_the_temperature_that_drew_the_labels_is_found(temperature: float) -> None:
    draw = np.random.default_rng(0)
    scores = (temperature * draw.normal(size=(1, 20_000, 4))).astype(np.float32)
    chances = probabilities(scores[0], temperature)
    gold = (draw.random((len(chances), 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=3)
    assert fit_temperature(scores, gold) == pytest.approx(temperature, rel=0.05)


def test_models_together_get_one_temperature() -> None:
    draw = np.random.default_rng(1)
    truth = draw.normal(size=(5_000, 3))
    gold = (truth + draw.gumbel(size=truth.shape)).argmax(axis=1)
    scores = (truth + draw.normal(size=(4, 5_000, 3))).astype(np.float32)
    fitted = fit_temperature(scores, gold)

    def loss(temperature: float) -> float:
        mean = probabilities(scores, temperature).mean(axis=0)
        return float(-np.log(mean[np.arange(len(gold)), gold]).mean())

    assert loss(fitted) <= min(loss(fitted * 1.1), loss(fitted / 1.1))


def test_without_labels_scores_stay_as_they_are() -> None:
    assert fit_temperature(np.zeros((1, 0, 3), np.float32), np.zeros(0, np.int64)) == 1


def test_labels_of_held_out_classes_and_of_other_splits_decide_nothing() -> None:
    manifest = Manifest(
        corpus="c",
        classes=("a", "b"),
        config={},
        vad_range=(0, 1),
        n_speakers=1,
        widths={},
        train_counts=(3, 0),
        anchor_texts=("a", "b"),
        recipes={},
        digests={},
        split_digest="",
        licences={},
    )
    scores = pa.array([[1, 2], [3, 4], [5, 6], [7, 8]], pa.list_(pa.float32()))
    split = ["validation", "validation", "validation", "test"]
    table = pa.table({"split": split, "gold": pa.array(["a", "b", None, "a"]), "scores": scores})
    found, gold = seen_validation(manifest, [table, table])
    assert (found.tolist(), gold.tolist()) == ([[[1, 2]], [[1, 2]]], [0])
    found, gold = scores_and_gold(manifest, [table], "test")
    assert (found.tolist(), gold.tolist()) == ([[[7, 8]]], [0])
