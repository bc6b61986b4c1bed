"""A mean over crossed seeds and dialogues: variances against closed forms, power against simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fmerl_platform.statistics.crossed import CrossedMean, crossed_mean, planned_power, seeds_to_decide

# Variance


def linear_bootstrap(values: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Each seed's mean over resampled dialogues [R, S], for values [S, G]."""
    n_dialogues = values.shape[1]
    weights = rng.multinomial(n_dialogues - 1, np.full(n_dialogues, 1 / n_dialogues), resamples)
    return weights @ values.T / (n_dialogues - 1)


def test_variance_parts_equal_the_two_way_anova() -> None:
    rng = np.random.default_rng(0)
    n_seeds, n_dialogues = 6, 50
    values = rng.normal(0, 1, (n_seeds, 1)) + rng.normal(0, 2, n_dialogues) + rng.normal(0, 3, (n_seeds, n_dialogues))
    by_seed, by_dialogue = values.mean(axis=1), values.mean(axis=0)
    residual = values - by_seed[:, None] - by_dialogue + values.mean()
    interaction = (residual**2).sum() / ((n_seeds - 1) * (n_dialogues - 1)) / (n_seeds * n_dialogues)

    result = crossed_mean(by_seed, linear_bootstrap(values, 40_000, rng), n_dialogues)

    assert result.seed_variance == pytest.approx(by_seed.var(ddof=1) / n_seeds)
    expected = by_dialogue.var(ddof=1) / n_dialogues - interaction
    assert result.dialogue_variance == pytest.approx(expected, rel=0.05)


def test_closed_seed_level_equals_drawing_seeds_too() -> None:
    """The literal hierarchical bootstrap has the variance V_seed + V_dialogue + V_interaction."""
    rng = np.random.default_rng(1)
    n_seeds, n_dialogues, resamples = 5, 30, 100_000
    values = rng.normal(0, 1, (n_seeds, 1)) + rng.normal(0, 4, n_dialogues) + rng.normal(0, 6, (n_seeds, n_dialogues))
    resampled = linear_bootstrap(values, resamples, rng)
    seed_weights = rng.multinomial(n_seeds - 1, np.full(n_seeds, 1 / n_seeds), resamples) / (n_seeds - 1)
    drawn = (resampled * seed_weights).sum(axis=1).var(ddof=1)

    by_seed = values.mean(axis=1)
    result = crossed_mean(by_seed, resampled, n_dialogues)
    v_dialogue = resampled.mean(axis=1).var(ddof=1)
    v_interaction = v_dialogue - result.dialogue_variance
    assert v_interaction > 0
    assert drawn == pytest.approx(result.seed_variance + v_dialogue + v_interaction, rel=0.03)


# Interval and p-value

effects = st.builds(
    CrossedMean,
    mean=st.floats(-0.1, 0.1),
    seed_variance=st.floats(1e-8, 1e-3),
    dialogue_variance=st.one_of(st.just(0.0), st.floats(1e-8, 1e-3)),
    n_seeds=st.integers(2, 20),
    n_dialogues=st.integers(2, 300),
)


@given(effects)
def test_p_value_is_the_level_at_which_the_interval_touches_zero(effect: CrossedMean) -> None:
    p_value = effect.p_value()
    assert 0 <= p_value <= 1
    if 1e-9 < p_value < 1:
        low, high = effect.interval(p_value)
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-6 * (abs(effect.mean) + effect.standard_error))


@given(effects, st.floats(0.001, 0.5))
def test_critical_value_lies_between_the_two_t_quantiles(effect: CrossedMean, level: float) -> None:
    quantiles = stats.t.isf(level / 2, [effect.n_seeds - 1, effect.n_dialogues - 1])
    assert quantiles.min() - 1e-9 <= effect.critical_value(level) <= quantiles.max() + 1e-9


def test_without_dialogue_variance_it_is_the_paired_t_test() -> None:
    differences = np.array([0.01, 0.03, -0.01, 0.02, 0.04])
    effect = crossed_mean(differences, np.tile(differences, (10, 1)), 280)
    expected = stats.ttest_1samp(differences, 0)
    assert effect.p_value() == pytest.approx(expected.pvalue)
    assert effect.interval(0.05) == pytest.approx(tuple(expected.confidence_interval(0.95)))


# The plan


@pytest.mark.parametrize("dialogue_variance", [0.0, 2e-5])
def test_planned_power_equals_simulation(dialogue_variance: float) -> None:
    rng = np.random.default_rng(2)
    n_seeds, draws, alpha = 6, 20_000, 0.02
    truth = CrossedMean(
        mean=0.02, seed_variance=2e-5, dialogue_variance=dialogue_variance, n_seeds=n_seeds, n_dialogues=200
    )
    means = rng.normal(truth.mean, truth.standard_error, draws)
    seed_variances = truth.seed_variance * rng.chisquare(n_seeds - 1, draws) / (n_seeds - 1)
    found = [
        replace(truth, mean=mean, seed_variance=variance).interval(alpha)[0] > 0
        for mean, variance in zip(means, seed_variances, strict=True)
    ]
    assert planned_power(truth, n_seeds, alpha) == pytest.approx(np.mean(found), abs=0.015)


def test_seeds_to_decide_is_the_smallest_number_with_that_power() -> None:
    effect = CrossedMean(mean=0.01, seed_variance=3e-5, dialogue_variance=5e-6, n_seeds=5, n_dialogues=280)
    needed = seeds_to_decide(effect, alpha=0.05 / 6, power=0.8)
    assert needed == next(n for n in range(2, 1000) if planned_power(effect, n, 0.05 / 6) >= 0.8)
    assert needed > effect.n_seeds


def test_no_number_of_seeds_decides_when_the_test_set_is_the_limit() -> None:
    effect = CrossedMean(mean=0.01, seed_variance=1e-7, dialogue_variance=1e-4, n_seeds=5, n_dialogues=280)
    assert seeds_to_decide(effect, alpha=0.05, power=0.8) is None
    assert seeds_to_decide(replace(effect, dialogue_variance=1e-6), alpha=0.05, power=0.8) == 2
    assert seeds_to_decide(replace(effect, n_seeds=1, seed_variance=math.nan), alpha=0.05, power=0.8) is None


# Folds


def test_variance_of_folds_is_what_whole_folds_add_to_their_dialogues() -> None:
    rng = np.random.default_rng(3)
    n_seeds, n_folds, size, draws = 6, 8, 20, 40_000
    fold = np.repeat(np.arange(n_folds), size)
    values = rng.normal(0, 1, (n_seeds, 1)) + rng.normal(0, 3, n_folds)[fold] + rng.normal(0, 2, n_folds * size)
    by_dialogue = linear_bootstrap(values, draws, rng)
    means = values.reshape(n_seeds, n_folds, size).mean(axis=2)
    result = crossed_mean(values.mean(axis=1), by_dialogue, len(fold), linear_bootstrap(means, draws, rng), n_folds)
    assert result.dialogue_variance + result.fold_variance == pytest.approx(
        means.mean(axis=0).var(ddof=1) / n_folds, rel=0.05
    )
    assert result.fold_variance > 3 * result.dialogue_variance
    plain = crossed_mean(values.mean(axis=1), by_dialogue, len(fold))
    assert result.p_value() > plain.p_value()
    assert (plain.fold_variance, plain.n_folds) == (0.0, 1)


def test_folds_that_do_not_differ_change_nothing() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(0, 3, 60) + rng.normal(0, 1, (4, 60))
    resampled = linear_bootstrap(values, 500, rng)
    same = crossed_mean(values.mean(axis=1), resampled, 60, np.tile(values.mean(axis=1), (500, 1)), 5)
    assert same.fold_variance == 0
    assert same.p_value() == crossed_mean(values.mean(axis=1), resampled, 60).p_value()
    assert same.interval(0.05) == crossed_mean(values.mean(axis=1), resampled, 60).interval(0.05)


def test_one_seed_in_folds_is_not_tested() -> None:
    alone = CrossedMean(
        mean=0.0,
        seed_variance=math.nan,
        dialogue_variance=1e-6,
        n_seeds=1,
        n_dialogues=60,
        fold_variance=1e-6,
        n_folds=5,
    )
    assert math.isnan(alone.p_value())
    assert math.isnan(alone.p_equivalent(0.5))
    assert seeds_to_decide(alone, alpha=0.05, power=0.8) is None
