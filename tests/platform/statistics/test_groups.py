"""Predictions without seeds, and scores beyond weighted F1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_studies import StudyModel, simulate_study
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support

from fmerl_platform.statistics import (
    CellPredictions,
    balanced_accuracy,
    class_f1,
    class_precision,
    class_recall,
    compare,
    confusion_by_dialogue,
    macro_f1,
)

Cells = list[CellPredictions]


def systems(effects: tuple[float, ...], seed: int = 7) -> dict[str, Cells]:
    control, variants = simulate_study(np.random.default_rng(seed), StudyModel(effects=effects, n_dialogues=60))
    return {"FMERL": control, **variants}


# Without seeds


def test_predictions_without_a_seed_are_compared_with_every_seed_of_the_other_side() -> None:
    cells = systems((0.6,))
    single = [replace(cells["variant 1"][0], seed=None)]
    found = compare(cells["FMERL"], {"single": single}, 7, resamples=100)["single"]
    copies = [replace(single[0], seed=seed) for seed in range(5)]
    expected = compare(cells["FMERL"], {"single": copies}, 7, resamples=100)["single"]
    assert found.n_pairs == 5
    assert (found.delta, found.p_value) == pytest.approx((expected.delta, expected.p_value))
    assert found.missing_in_control == found.missing_in_variant == ()
    back = compare(single, {"FMERL": cells["FMERL"]}, 7, resamples=100)["FMERL"]
    assert (back.delta, back.p_value) == pytest.approx((-found.delta, found.p_value))


def test_two_single_predictions_are_one_pair_and_never_decided() -> None:
    cells = systems((1.5,))
    one, other = ([replace(cells[name][0], seed=None)] for name in cells)
    found = compare(one, {"other": other}, 7, resamples=100)["other"]
    assert (found.n_pairs, found.verdict) == (1, "inconclusive")
    assert found.ci_low < found.delta < found.ci_high
    with pytest.raises(ValueError, match="share a seed"):
        compare([*one, *cells["FMERL"]], {"other": other}, 7, resamples=10)


# Scores


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_scores_of_classes_equal_scikit_learn(rows: list[tuple[int, int]]) -> None:
    gold, predicted = (np.array(column) for column in zip(*rows, strict=True))
    cell = CellPredictions(seed=0, dialogue=np.zeros(len(gold)), gold=gold, predicted=predicted)
    confusion = confusion_by_dialogue([cell], 5).sum(axis=(0, 1))
    expected = precision_recall_fscore_support(gold, predicted, labels=range(5), zero_division=0)
    for found, right in zip((class_precision, class_recall, class_f1), expected, strict=False):
        np.testing.assert_allclose(found(confusion), right)
    present = np.unique(gold)
    assert macro_f1(confusion) == pytest.approx(
        f1_score(gold, predicted, labels=present, average="macro", zero_division=0)
    )
    if len(present) > 1 and set(predicted) <= set(gold):  # scikit-learn warns of one class, and of others
        assert balanced_accuracy(confusion) == pytest.approx(balanced_accuracy_score(gold, predicted))
