"""Calibrated stacking: the curve is what every constant gives, its area and its best constant are what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fmerl_platform.studies.zero_shot.stacking import margin, seen_unseen_curve, stacked, tuned_constant

N_CLASSES = 5
UNSEEN = np.array([False, True, False, False, True])


def drawn(seed: int, rows: int = 40, skill: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    draw = np.random.default_rng(seed)
    gold = np.concatenate([[0, 1], draw.integers(N_CLASSES, size=rows - 2)])
    scores = draw.normal(size=(rows, N_CLASSES)) + skill * np.eye(N_CLASSES)[gold] + 0.8 * ~UNSEEN
    return scores.astype(np.float32), gold


@given(st.integers(0, 10**6), st.booleans())
def test_the_curve_is_what_stacking_gives(seed: int, rounded: bool) -> None:
    scores, gold = drawn(seed)
    if rounded:  # several utterances change sides at once
        scores = np.round(scores * 2) / np.float32(2) + np.arange(N_CLASSES, dtype=np.float32) / np.float32(64)
    curve = seen_unseen_curve(scores, gold, UNSEEN)
    of_unseen = UNSEEN[gold]
    for constant, seen, unseen in zip(curve.constant, curve.seen_accuracy, curve.unseen_accuracy, strict=True):
        right = stacked(scores, UNSEEN, constant) == gold
        assert seen == pytest.approx(right[~of_unseen].mean())
        assert unseen == pytest.approx(right[of_unseen].mean())
    assert (np.diff(curve.seen_accuracy) <= 1e-12).all()
    assert (np.diff(curve.unseen_accuracy) >= -1e-12).all()
    assert curve.unseen_accuracy[0] == curve.seen_accuracy[-1] == pytest.approx(0)
    assert 0 <= curve.area <= 1 + 1e-12


@given(st.integers(0, 10**6), st.floats(-3, 3))
def test_no_constant_is_missing(seed: int, constant: float) -> None:
    scores, gold = drawn(seed)
    curve = seen_unseen_curve(scores, gold, UNSEEN)
    right = stacked(scores, UNSEEN, constant) == gold
    point = right[~UNSEEN[gold]].mean(), right[UNSEEN[gold]].mean()
    on_curve = np.isclose(curve.seen_accuracy, point[0]) & np.isclose(curve.unseen_accuracy, point[1])
    assert on_curve.any()


@given(st.integers(0, 10**6))
def test_area_bounds_what_a_perfect_and_a_useless_model_do(seed: int) -> None:
    scores, gold = drawn(seed)
    assert seen_unseen_curve(np.eye(N_CLASSES, dtype=np.float32)[gold], gold, UNSEEN).area == pytest.approx(1)
    wrong = np.eye(N_CLASSES, dtype=np.float32)[(gold + 1) % N_CLASSES] + np.float32(0)
    assert seen_unseen_curve(wrong, gold, UNSEEN).area < 1
    scores = np.round(scores * 1024) / np.float32(1024)  # so that taking 5 is exact, and neither makes nor breaks a tie
    lowered = scores - np.where(UNSEEN, np.float32(5), np.float32(0))
    assert seen_unseen_curve(lowered, gold, UNSEEN).area == pytest.approx(seen_unseen_curve(scores, gold, UNSEEN).area)


def test_area_by_hand() -> None:
    """One unseen utterance, two seen ones; the leads of the seen class are .2 (unseen), .1 and .3."""
    scores = np.array([[0.5, 0.3], [0.5, 0.4], [0.5, 0.2]], dtype=np.float32)
    gold, unseen = np.array([1, 0, 0]), np.array([False, True])
    curve = seen_unseen_curve(scores, gold, unseen)
    np.testing.assert_allclose(curve.seen_accuracy, [1, 0.5, 0.5, 0])
    np.testing.assert_allclose(curve.unseen_accuracy, [0, 0, 1, 1])
    assert curve.area == pytest.approx(0.5)
    assert curve.best_constant() == pytest.approx(0.25)
    np.testing.assert_allclose(margin(scores, unseen), [0.2, 0.1, 0.3], atol=1e-6)


@given(st.integers(0, 10**6))
def test_a_constant_of_zero_is_the_plain_prediction(seed: int) -> None:
    scores, _ = drawn(seed)
    np.testing.assert_array_equal(stacked(scores, UNSEEN, 0.0), scores.argmax(1))


@given(st.integers(0, 10**6))
def test_the_tuned_constant_is_best_for_the_stand_in_on_seen_classes(seed: int) -> None:
    scores, gold = drawn(seed, rows=60)
    gold[:3] = [0, 2, 3]
    stand_in = np.array([False, False, True, False, False])
    constant = tuned_constant(scores, gold, UNSEEN, pseudo_unseen=2)
    known = ~UNSEEN[gold]
    candidates = np.where(UNSEEN, -np.inf, scores[known])

    def harmonic(value: float) -> float:
        right = stacked(candidates, stand_in, value) == gold[known]
        one, other = right[gold[known] == 2].mean(), right[gold[known] != 2].mean()
        return 2 * one * other / (one + other) if one + other else 0.0

    assert harmonic(constant) >= max(harmonic(value) for value in np.linspace(-4, 4, 81)) - 1e-12


@given(st.integers(0, 10**6))
def test_tuning_never_sees_an_unseen_label_or_score(seed: int) -> None:
    scores, gold = drawn(seed, rows=60)
    gold[:3] = [0, 2, 3]
    of_unseen = UNSEEN[gold]
    constant = tuned_constant(scores, gold, UNSEEN, 2)
    draw = np.random.default_rng(seed)
    swapped = np.where(of_unseen, 5 - gold, gold)
    assert set(swapped[of_unseen]) <= {1, 4}
    changed = np.where(of_unseen[:, None] | UNSEEN, draw.normal(size=scores.shape), scores).astype(np.float32)
    assert tuned_constant(changed, swapped, UNSEEN, 2) == constant
    assert tuned_constant(scores[~of_unseen], gold[~of_unseen], UNSEEN, 2) == constant
