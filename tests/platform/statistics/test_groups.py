"""All pairs of systems, several corpora, predictions without seeds, and scores beyond weighted F1."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from simulated_studies import StudyModel, simulate_study
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support

from fmerl_platform.statistics import (
    CellPredictions,
    CorpusPredictions,
    balanced_accuracy,
    calibration_bins,
    class_f1,
    class_precision,
    class_recall,
    compare,
    compare_pooled,
    confusion_by_dialogue,
    expected_calibration_error,
    holm,
    macro_f1,
    rank_systems,
)

Cells = list[CellPredictions]


def systems(effects: tuple[float, ...], seed: int = 7) -> dict[str, Cells]:
    control, variants = simulate_study(np.random.default_rng(seed), StudyModel(effects=effects, n_dialogues=60))
    return {"FMERL": control, **variants}


# Ranks


def test_ranks_and_pairs_are_those_of_the_scores() -> None:
    cells = systems((1.5, 0.0, -1.5))
    ranking = rank_systems(cells, 7, resamples=300)
    scores = np.array(
        [[f1_score(one.gold, one.predicted, average="weighted") for one in found] for found in cells.values()]
    )
    expected = dict(zip(cells, (-scores).argsort(axis=0).argsort(axis=0).mean(axis=1) + 1, strict=True))
    assert ranking.ranks == pytest.approx(expected)
    assert list(ranking.ranks) == sorted(expected, key=lambda name: expected[name])
    assert ranking.n_seeds == 5
    assert len(ranking.pairs) == 6
    raw = [pair.p_value for pair in ranking.pairs.values()]
    assert [pair.p_value_holm for pair in ranking.pairs.values()] == pytest.approx(holm(raw))
    for (one, other), pair in ranking.pairs.items():
        alone = compare(cells[other], {one: cells[one]}, 7, resamples=10)[one]
        assert pair.delta == pytest.approx(alone.delta)
    assert ranking.groups == (tuple(name for name in ranking.ranks if name in ("FMERL", "variant 2")),)
    assert ranking.undecided("FMERL", "variant 2")
    assert ranking.undecided("variant 2", "FMERL")


def test_systems_without_a_common_seed_are_ranked_by_their_means() -> None:
    cells = systems((1.5, -1.5))
    cells["variant 1"] = [replace(cell, seed=(cell.seed or 0) + 10) for cell in cells["variant 1"]]
    ranking = rank_systems(cells, 7, resamples=50)
    assert list(ranking.ranks.items()) == [("variant 1", 1), ("FMERL", 2), ("variant 2", 3)]
    assert math.isnan(ranking.pairs["variant 1", "FMERL"].p_value)


# Several corpora


def pooled_side(cells: dict[str, Cells]) -> CorpusPredictions:
    control, *names = cells
    return CorpusPredictions(control=cells[control], variants={name: cells[name] for name in names}, n_classes=7)


def test_one_corpus_pooled_is_the_comparison() -> None:
    cells = systems((0.6, 0.0))
    pooled = compare_pooled([pooled_side(cells)], resamples=200, margin=0.02)
    alone = compare(cells["FMERL"], pooled_side(cells).variants, 7, resamples=200, margin=0.02)
    for name, found in alone.items():
        assert replace(pooled[name], missing_in_control=(), missing_in_variant=()) == found


def test_corpora_weigh_the_same_and_their_variances_add_up() -> None:
    corpora = [systems((0.6, 0.0), seed=1), systems((0.3,), seed=2)]
    pooled = compare_pooled(list(map(pooled_side, corpora)), resamples=200)
    assert set(pooled) == {"variant 1"}, "the variant that both corpora have"
    alone = [compare(cells["FMERL"], {"v": cells["variant 1"]}, 7, resamples=200)["v"] for cells in corpora]
    found = pooled["variant 1"]
    assert found.delta == pytest.approx(np.mean([each.delta for each in alone]))
    assert found.seed_variance == pytest.approx(sum(each.seed_variance for each in alone) / 4)
    assert found.dialogue_variance == pytest.approx(sum(each.dialogue_variance for each in alone) / 4)


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
    if set(predicted) <= set(gold):  # scikit-learn warns of other classes
        assert balanced_accuracy(confusion) == pytest.approx(balanced_accuracy_score(gold, predicted))


@given(arrays(float, 30, elements=st.floats(0, 1)), arrays(bool, 30), st.integers(1, 20))
def test_calibration_error_is_the_slow_sum_over_bins(confidence: np.ndarray, right: np.ndarray, bins: int) -> None:
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            (value, hit)
            for value, hit in zip(confidence, right, strict=True)
            if math.ceil(value * bins) == number + 1 or (number == 0 and value == 0)
        ]
        if inside:
            assert low - 1e-9 <= min(value for value, _ in inside)
            assert max(value for value, _ in inside) <= high + 1e-9
            total += abs(sum(value for value, _ in inside) - sum(hit for _, hit in inside)) / 30
    assert expected_calibration_error(confidence, right, bins) == pytest.approx(total, abs=1e-9)
    assert sum(each.n for each in calibration_bins(confidence, right, bins)) == 30
