"""Agreement against SciPy's own coefficients, and intervals that cover as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from fmerl.supervision.agreement import agreement, concordance, correlation, rescaled


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=3, max_size=40))
def test_coefficients_are_the_standard_ones(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(side) / 2 for side in zip(*pairs, strict=True))
    got = agreement(first, second, resamples=5)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert set(got.coefficients().values()) == {None}
        return
    assert got.pearson is not None
    assert got.spearman is not None
    assert got.ccc is not None
    assert got.pearson.value == pytest.approx(pearsonr(first, second).statistic, abs=1e-9)
    assert got.spearman.value == pytest.approx(spearmanr(first, second).statistic, abs=1e-9)
    (spread_first, together), (_, spread_second) = np.cov(first, second, ddof=0)
    below = spread_first + spread_second + (first.mean() - second.mean()) ** 2
    assert got.ccc.value == pytest.approx(2 * together / below, abs=1e-9)
    assert got.mean_difference == pytest.approx((second - first).mean())


def test_resampled_ranks_are_those_of_the_drawn_pairs() -> None:
    draw = np.random.default_rng(0)
    first, second = draw.integers(0, 5, size=(2, 30)).astype(float)
    got = agreement(first, second, resamples=400, seed=3)
    draws = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), size=400)
    slow = [spearmanr(np.repeat(first, counts), np.repeat(second, counts)).statistic for counts in draws]
    assert got.spearman is not None
    np.testing.assert_allclose((got.spearman.low, got.spearman.high), np.quantile(slow, [0.025, 0.975]), atol=1e-9)


def test_interval_covers_the_truth() -> None:
    draw, truth, covered = np.random.default_rng(1), 0.6, 0
    for seed in range(200):
        first = draw.normal(size=120)
        second = truth * first + np.sqrt(1 - truth**2) * draw.normal(size=120)
        got = agreement(first, second, resamples=200, seed=seed).pearson
        assert got is not None
        covered += got.low <= truth <= got.high
    assert 180 <= covered <= 199


def test_groups_widen_the_interval() -> None:
    draw = np.random.default_rng(2)
    groups = np.repeat(np.arange(20), 10)
    first = draw.normal(size=20)[groups] + 0.1 * draw.normal(size=200)
    second = draw.normal(size=20)[groups] + 0.1 * draw.normal(size=200)
    single, grouped = agreement(first, second).pearson, agreement(first, second, groups).pearson
    assert single is not None
    assert grouped is not None
    assert grouped.high - grouped.low > 2 * (single.high - single.low)


def test_shift_lowers_concordance_alone() -> None:
    first = np.linspace(0, 4, 50)
    got = agreement(first, first + 1)
    assert got.pearson is not None
    assert got.ccc is not None
    assert got.pearson.value == pytest.approx(1)
    assert got.ccc.value < 0.8
    assert got.mean_difference == pytest.approx(1)


def test_same_seed_same_interval() -> None:
    first, second = np.random.default_rng(4).normal(size=(2, 50))
    assert agreement(first, second) == agreement(first, second)
    assert agreement(first, second) != agreement(first, second, seed=1)


@pytest.mark.parametrize("length", [0, 1])
def test_too_few_pairs_have_no_coefficient(length: int) -> None:
    got = agreement(np.ones(length), np.ones(length))
    assert got.n == length
    assert set(got.coefficients().values()) == {None}


def test_bad_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        agreement([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        agreement([1, 2], [1, float("nan")])


def test_rescaled_goes_from_ends_to_ends() -> None:
    np.testing.assert_allclose(rescaled([0, 2.5, 5], (0, 5), (1, 5)), [1, 3, 5])


SERIES = st.lists(st.tuples(st.floats(1, 5), st.floats(1, 5)), min_size=3, max_size=30).map(np.array)


@given(SERIES)
def test_concordance_is_pearson_at_best(pairs: np.ndarray) -> None:
    x, y = pairs.T
    if min(x.std(), y.std()) < 1e-3:
        return
    pearson = pearsonr(x, y).statistic
    assert abs(concordance(x, y)) <= abs(pearson) + 1e-9
    assert concordance(x, y) == pytest.approx(concordance(y, x))
    same_spread = (y - y.mean()) * x.std() / y.std() + x.mean()
    assert concordance(x, same_spread) == pytest.approx(pearson, abs=1e-6)


def test_concordance_by_hand() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert concordance(x, x) == 1
    assert concordance(x, x + 1) == pytest.approx(4 / 7)
    assert concordance(x, 2 * x) == pytest.approx(8 / 22)
    assert concordance(x, -x) == pytest.approx(-4 / 52)


@given(st.floats(-5, 5), st.integers(1, 50), st.data())
def test_scores_that_are_all_the_same_have_no_coefficient(score: float, count: int, data: st.DataObject) -> None:
    """The mean of three scores of .1 is not .1, so that their variance is not 0."""
    same = np.full(count, score)
    other = np.array(data.draw(st.lists(st.floats(-5, 5), min_size=count, max_size=count)))
    for first, second in ((same, same), (same, other), (other, same)):
        assert np.isnan(concordance(first, second))
        assert np.isnan(correlation(first, second))
        assert set(agreement(first, second, resamples=2).coefficients().values()) == {None}


def test_the_scale_of_scores_changes_no_coefficient() -> None:
    first, second = np.random.default_rng(5).normal(size=(2, 20))
    for scale in (1e-9, 1e9):
        assert concordance(scale * first, scale * second) == pytest.approx(concordance(first, second))
        assert correlation(scale * first, scale * second) == pytest.approx(correlation(first, second))
