"""The verdict: scores against scikit-learn, exact tests against enumeration, and every odd study."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated_studies import StudyModel, simulate_study
from sklearn.metrics import accuracy_score, f1_score

from fmerl.errors import InputError
from fmerl_platform.statistics import (
    CellPredictions,
    Comparison,
    accuracy,
    compare,
    confusion_by_dialogue,
    estimate,
    estimates,
    holm,
    paired,
    scores,
    sign_flip_p_value,
    weighted_f1,
)
from fmerl_platform.statistics.scores import resampled_scores

N_CLASSES = 7

utterances = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, N_CLASSES - 1), st.integers(0, N_CLASSES - 1)), min_size=1, max_size=40
)


def cell(
    seed: int, gold: Sequence[int], predicted: Sequence[int], dialogue: Sequence[str] | None = None
) -> CellPredictions:
    ids = [f"d{turn // 2}" for turn in range(len(gold))] if dialogue is None else dialogue
    return CellPredictions(seed=seed, dialogue=np.array(ids), gold=np.array(gold), predicted=np.array(predicted))


def study(**changes: Any) -> tuple[list[CellPredictions], dict[str, list[CellPredictions]]]:
    """A small simulated study: control, variants."""
    model = replace(StudyModel(effects=(0.0, 0.6), n_dialogues=40), **changes)
    return simulate_study(np.random.default_rng(7), model)


def assert_same(left: Comparison, right: Comparison) -> None:
    for name, value in asdict(left).items():
        expected = getattr(right, name)
        assert value == (pytest.approx(expected, nan_ok=True) if isinstance(expected, float) else expected), name


# Scores


@given(utterances)
def test_scores_equal_scikit_learn(rows: list[tuple[int, int, int]]) -> None:
    dialogue, gold, predicted = zip(*rows, strict=True)
    confusion = confusion_by_dialogue([cell(0, gold, predicted, [f"d{i}" for i in dialogue])], N_CLASSES).sum(axis=1)
    expected = f1_score(gold, predicted, average="weighted", zero_division=0)
    assert weighted_f1(confusion) == pytest.approx([expected])
    assert accuracy(confusion) == pytest.approx([accuracy_score(gold, predicted)])


def test_confusion_keeps_dialogues_apart_in_order_of_appearance() -> None:
    first = cell(0, [0, 1, 1, 0], [0, 0, 1, 1], ["z", "a", "z", "a"])
    second = cell(1, [0, 1, 1, 0], [1, 1, 1, 1], ["z", "a", "z", "a"])
    counts = confusion_by_dialogue([first, second], 2)
    assert counts.tolist() == [[[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [[[0, 1], [0, 1]], [[0, 1], [0, 1]]]]


@pytest.mark.parametrize(
    "other", [cell(1, [0, 1, 0], [0, 1, 1]), cell(1, [0, 1], [0, 1]), cell(1, [0, 1, 1], [0, 1, 1], ["x", "x", "x"])]
)
def test_cells_of_different_test_sets_are_refused(other: CellPredictions) -> None:
    with pytest.raises(InputError, match="predictions of seed 1"):
        confusion_by_dialogue([cell(0, [0, 1, 1], [0, 1, 1]), other], 2)


def test_no_answer_is_a_column_of_its_own() -> None:
    counts = confusion_by_dialogue([cell(0, [0, 1], [-1, 1]), cell(1, [0, 1], [1, 1])], 2).sum(axis=1)
    assert counts.tolist() == [[[0, 0, 1], [0, 1, 0], [0, 0, 0]], [[0, 1, 0], [0, 1, 0], [0, 0, 0]]]
    assert weighted_f1(counts)[0] == pytest.approx(f1_score([0, 1], [-1, 1], labels=[0, 1], average="weighted"))
    assert accuracy(counts).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("gold", "predicted", "name"), [([0, 2], [0, 1], "gold"), ([0, 1], [-2, 1], "predicted"), ([-1, 1], [0, 1], "gold")]
)
def test_class_out_of_range_is_refused(gold: list[int], predicted: list[int], name: str) -> None:
    with pytest.raises(ValueError, match=f"seed 4: {name} must be in"):
        confusion_by_dialogue([cell(4, gold, predicted)], 2)


def test_malformed_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        cell(0, [0, 1], [0])
    with pytest.raises(ValueError, match="no labelled"):
        cell(0, [], [])
    with pytest.raises(ValueError, match="share a seed"):
        estimate([cell(0, [0], [0]), cell(0, [0], [0])], 2)
    with pytest.raises(ValueError, match="no cells"):
        compare([], {"empty": []}, 2)


def test_resampled_scores_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    control, _ = study()
    counts = confusion_by_dialogue(control, N_CLASSES)
    whole = resampled_scores(counts, 50, seed=3)
    monkeypatch.setattr(scores, "CHUNK_BYTES", 8 * counts[:, 0].size * 7)
    for metric, in_chunks in resampled_scores(counts, 50, seed=3).items():
        np.testing.assert_allclose(in_chunks, whole[metric], rtol=1e-12)


def test_a_comparison_does_not_depend_on_the_cells_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    control, variants = study()
    variants = {**variants, "few": next(iter(variants.values()))[1:3], "none": []}
    whole = compare(control, variants, N_CLASSES, resamples=50)
    monkeypatch.setattr(paired, "CELLS_AT_ONCE", 1)
    by_one = compare(control, variants, N_CLASSES, resamples=50)
    assert list(whole) == list(by_one) == list(variants)
    for name, comparison in whole.items():
        assert_same(by_one[name], comparison)
    assert by_one["few"].missing_in_variant
    assert not by_one["few"].missing_in_control


# Tests over seeds, and over variants


@settings(max_examples=30)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8))
@example([0, 0, 0, 0, 0, 1, 2, -3])  # .01 + .02 - .03 is not 0
def test_sign_flip_is_exact(differences: list[int]) -> None:
    values = np.array(differences) / 100
    patterns = np.array(list(itertools.product([1, -1], repeat=len(values))))
    expected = np.mean(np.abs(patterns @ values) >= abs(values.sum()) - 1e-12)
    assert sign_flip_p_value(values) == pytest.approx(expected)


def test_five_seeds_cannot_go_below_a_sixteenth() -> None:
    assert sign_flip_p_value(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == 0.0625
    assert math.isnan(sign_flip_p_value(np.array([0.1])))


def test_holm_by_hand() -> None:
    """Ascending .005 x 4, .01 x 3, .03 x 2, then .04 x 1 is raised to its predecessor's .06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, math.nan, 0.02]) == pytest.approx([0.6, math.nan, 0.04], nan_ok=True)
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


# The comparison


def test_a_large_planted_effect_is_found_and_a_missing_one_is_not() -> None:
    control, variants = study(effects=(0.0, 1.5, -1.5), n_dialogues=100)
    result = compare(control, variants, N_CLASSES, resamples=500)
    assert [result[name].verdict for name in variants] == ["inconclusive", "helps", "hurts"]
    helpful = result["variant 2"]
    assert 0 < helpful.ci_low < helpful.delta < helpful.ci_high
    assert helpful.p_value <= helpful.p_value_holm < 0.05
    assert helpful.p_value_sign_flip == 0.0625
    assert helpful.seeds_to_decide is not None
    assert helpful.seeds_to_decide <= 5


def test_delta_is_the_mean_of_paired_differences_of_scikit_learns_score() -> None:
    control, variants = study()
    result = compare(control, variants, N_CLASSES, resamples=50)["variant 2"]
    changed, unchanged = (
        np.array([f1_score(one.gold, one.predicted, average="weighted", zero_division=0) for one in side])
        for side in (variants["variant 2"], control)
    )
    assert result.delta == pytest.approx(changed.mean() - unchanged.mean())
    assert result.seed_variance == pytest.approx((changed - unchanged).var(ddof=1) / 5)
    correct = [[np.mean(one.gold == one.predicted) for one in side] for side in (variants["variant 2"], control)]
    assert result.delta_accuracy == pytest.approx(np.mean(correct[0]) - np.mean(correct[1]))


def test_accuracy_can_be_the_metric() -> None:
    control, variants = study()
    result = compare(control, variants, N_CLASSES, resamples=50, metric="accuracy")["variant 2"]
    assert result.metric == "accuracy"
    assert (result.delta, result.ci_low) == (result.delta_accuracy, result.delta_accuracy_ci_low)


def test_swapping_the_sides_mirrors_the_result() -> None:
    control, variants = study()
    there = compare(control, {"v": variants["variant 2"]}, N_CLASSES, resamples=200)["v"]
    back = compare(variants["variant 2"], {"v": control}, N_CLASSES, resamples=200)["v"]
    assert (back.delta, back.ci_low, back.ci_high) == pytest.approx((-there.delta, -there.ci_high, -there.ci_low))
    assert back.p_value == pytest.approx(there.p_value)


def test_order_of_cells_and_variants_does_not_matter() -> None:
    control, variants = study()
    expected = compare(control, variants, N_CLASSES, resamples=100)
    shuffled = {name: variants[name][::-1] for name in reversed(variants)}
    result = compare(control[2:] + control[:2], shuffled, N_CLASSES, resamples=100)
    for name in variants:
        assert_same(result[name], expected[name])


def test_pairs_are_the_shared_seeds_and_missing_ones_are_named() -> None:
    control, variants = study()
    uneven = {"variant 1": variants["variant 1"][1:], "variant 2": variants["variant 2"], "failed": []}
    result = compare(control[:-1], uneven, N_CLASSES, resamples=100)
    first = result["variant 1"]
    assert (first.n_pairs, first.missing_in_control, first.missing_in_variant) == (3, (4,), (0,))
    alone = compare(control[1:-1], {"v": variants["variant 1"][1:-1]}, N_CLASSES, resamples=100)["v"]
    assert (first.delta, first.p_value) == pytest.approx((alone.delta, alone.p_value))

    failed = result["failed"]
    assert (failed.n_pairs, failed.verdict, failed.seeds_to_decide) == (0, "inconclusive", None)
    assert failed.missing_in_variant == (0, 1, 2, 3, 4)
    assert all(math.isnan(value) for value in (failed.delta, failed.ci_low, failed.p_value, failed.p_value_holm))
    assert result["variant 2"].p_value_holm == pytest.approx(holm([first.p_value, result["variant 2"].p_value])[1])


def test_identical_predictions_show_no_effect() -> None:
    control, _ = study()
    result = compare(control, {"copy": control}, N_CLASSES, resamples=100)["copy"]
    assert (result.delta, result.ci_low, result.ci_high) == (0, 0, 0)
    assert (result.p_value, result.p_value_holm, result.p_value_sign_flip) == (1, 1, 1)
    assert (result.verdict, result.seeds_to_decide) == ("inconclusive", None)


def test_one_seed_gives_an_interval_over_dialogues_and_no_verdict() -> None:
    control, variants = study()
    result = compare(control[:1], {"v": variants["variant 2"][:1]}, N_CLASSES, resamples=500)["v"]
    assert result.ci_low < result.delta < result.ci_high
    assert math.isnan(result.p_value)
    assert math.isnan(result.p_value_sign_flip)
    assert math.isnan(result.seed_variance)
    assert (result.verdict, result.seeds_to_decide, result.n_pairs) == ("inconclusive", None, 1)
    alone = estimate(control[:1], N_CLASSES, resamples=500)
    assert math.isnan(alone.sd)
    assert alone.ci_low < alone.mean < alone.ci_high


def test_one_dialogue_gives_an_interval_over_seeds_and_no_verdict() -> None:
    gold = [0, 1, 0, 1]
    control = [cell(seed, gold, predicted, ["d"] * 4) for seed, predicted in enumerate([[0, 0, 0, 1], [1, 1, 0, 1]])]
    variant = [cell(seed, gold, predicted, ["d"] * 4) for seed, predicted in enumerate([[0, 1, 0, 1], [0, 0, 0, 0]])]
    result = compare(control, {"v": variant}, 2, resamples=10)["v"]
    assert result.ci_low < result.delta < result.ci_high
    assert math.isnan(result.p_value)
    assert result.verdict == "inconclusive"
    lone = estimate([cell(0, gold, gold, ["d"] * 4)], 2, resamples=10)
    assert lone.mean == 1
    assert math.isnan(lone.ci_low)


def test_unanimous_difference_without_any_variance_is_decided() -> None:
    gold, wrong = [0, 1] * 6, [1, 0] * 6
    control = [cell(seed, gold, wrong) for seed in range(3)]
    variant = [cell(seed, gold, gold) for seed in range(3)]
    result = compare(control, {"v": variant}, 3, resamples=50)["v"]
    assert (result.delta, result.ci_low, result.ci_high, result.p_value) == (1, 1, 1, 0)
    assert (result.verdict, result.seeds_to_decide) == ("helps", 2)


def test_class_that_most_resamples_lack_is_no_trouble() -> None:
    rng = np.random.default_rng(5)
    gold = [2] + [0] * 59
    sides = [[cell(seed, gold, rng.integers(0, 3, 60).tolist()) for seed in range(4)] for _ in range(2)]
    result = compare(sides[0], {"v": sides[1]}, 4, resamples=300)["v"]
    assert all(math.isfinite(value) for value in (result.delta, result.ci_low, result.ci_high, result.p_value))


def test_estimates_of_several_scores_are_each_ones_own() -> None:
    control, _ = study()
    both = estimates(control, N_CLASSES, scores.SCORES, resamples=50)
    assert {name: estimate(control, N_CLASSES, metric=name, resamples=50) for name in scores.SCORES} == both


def test_any_function_of_the_confusion_can_be_compared() -> None:
    control, variants = study()
    own = {**scores.SCORES, "error": lambda confusion: 1 - accuracy(confusion)}
    error = compare(control, variants, N_CLASSES, metric="error", scores=own, resamples=50)
    right = compare(control, variants, N_CLASSES, metric="accuracy", resamples=50)
    for name in variants:
        assert error[name].delta == pytest.approx(-right[name].delta)
        assert error[name].p_value == pytest.approx(right[name].p_value)


def test_estimate_reports_mean_and_sample_sd() -> None:
    control, _ = study()
    f1 = [f1_score(one.gold, one.predicted, average="weighted", zero_division=0) for one in control]
    result = estimate(control, N_CLASSES, resamples=300)
    assert (result.mean, result.sd, result.n_seeds) == pytest.approx((np.mean(f1), np.std(f1, ddof=1), 5))
    assert result.ci_low < result.mean < result.ci_high
    assert estimate(control, N_CLASSES, metric="accuracy", resamples=50).mean != result.mean
