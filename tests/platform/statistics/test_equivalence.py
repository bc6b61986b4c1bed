"""Equivalence: two one-sided tests against intervals and textbook t-tests."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from simulated_studies import StudyModel, simulate_study

from fmerl_platform.statistics import CrossedMean, compare, holm
from fmerl_platform.statistics.crossed import crossed_mean

effects = st.builds(
    CrossedMean,
    mean=st.floats(-0.1, 0.1),
    seed_variance=st.floats(1e-8, 1e-3),
    dialogue_variance=st.one_of(st.just(0.0), st.floats(1e-8, 1e-3)),
    n_seeds=st.integers(2, 20),
    n_dialogues=st.integers(2, 300),
    fold_variance=st.one_of(st.just(0.0), st.floats(1e-8, 1e-3)),
    n_folds=st.sampled_from([1, 2, 5, 10]),
)


@given(effects, st.floats(0.001, 0.2), st.sampled_from([0.01, 0.05, 0.1]))
def test_small_just_where_the_interval_lies_within_the_margin(effect: CrossedMean, margin: float, alpha: float) -> None:
    low, high = effect.interval(2 * alpha)
    p_value = effect.p_equivalent(margin)
    assert 0 <= p_value <= 1
    if abs(p_value - alpha) > 1e-9:
        assert (p_value < alpha) == (-margin < low and high < margin)


def test_without_dialogue_variance_it_is_two_paired_t_tests() -> None:
    differences = np.array([0.01, 0.03, -0.01, 0.02, 0.04])
    effect = crossed_mean(differences, np.tile(differences, (10, 1)), 280)
    for margin in (0.01, 0.05, 0.1):
        above = stats.ttest_1samp(differences, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(differences, margin, alternative="less").pvalue
        assert effect.p_equivalent(margin) == pytest.approx(max(above, below))


def test_without_spread_or_without_seeds() -> None:
    effect = CrossedMean(mean=0.01, seed_variance=0.0, dialogue_variance=0.0, n_seeds=3, n_dialogues=9)
    assert (effect.p_equivalent(0.02), effect.p_equivalent(0.01)) == (0, 1)
    assert math.isnan(replace(effect, n_seeds=1, seed_variance=math.nan).p_equivalent(0.02))


def test_a_verdict_is_equivalent_only_within_a_stated_margin_and_where_no_difference_is_found() -> None:
    model = StudyModel(effects=(0.0, 0.6), n_dialogues=150)
    control, variants = simulate_study(np.random.default_rng(7), model)
    without = compare(control, variants, 7, resamples=300)
    assert {found.equivalence for found in without.values()} == {None}
    found = compare(control, variants, 7, resamples=300, margin=0.2)
    assert [found[name].verdict for name in variants] == ["equivalent", "helps"]
    raw = [each.equivalence.p_value for each in found.values() if each.equivalence]
    assert [each.equivalence.p_value_holm for each in found.values() if each.equivalence] == pytest.approx(holm(raw))
    assert max(raw) < 0.05, "the variant that helps is within the margin too, and keeps its verdict"
    narrow = compare(control, variants, 7, resamples=300, margin=0.001)
    assert narrow["variant 1"].verdict == "inconclusive"
    assert replace(found["variant 1"], equivalence=None, verdict="inconclusive") == without["variant 1"]
