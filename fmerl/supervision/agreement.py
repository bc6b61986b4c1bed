"""Agreement of two sets of scores: Pearson, Spearman and Lin's concordance, with bootstrap intervals.

Shapes: n pairs, K distinct values, R resamples. Whole groups (dialogues) are resampled, since turns of one
conversation are not independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

_LEVEL = 0.95
_CHUNK = 100
"""Resamples held in memory at once."""

_ROUNDING = 1e-12
"""Scores that differ by less, beside the largest, are the same."""

_Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A coefficient with its percentile bootstrap interval (95 %)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Coefficients of n pairs; None where one is not defined, as for scores that are all the same."""

    n: int
    pearson: Interval | None
    spearman: Interval | None
    ccc: Interval | None
    """Lin's concordance correlation coefficient: lowered by a difference in mean or spread."""
    mean_difference: float | None
    """Mean of second minus first."""

    def coefficients(self) -> dict[str, Interval | None]:
        """Coefficients by name."""
        return {"pearson": self.pearson, "spearman": self.spearman, "ccc": self.ccc}


def agreement(
    first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None, resamples: int = 1000, seed: int = 0
) -> Agreement:
    """Agreement of two scorings of the same things.

    Args:
        first: n scores.
        second: n scores on the same scale.
        groups: Groups that are drawn as a whole, [n]; None draws single pairs.
        resamples: R.
        seed: Seed of the resampling.

    Raises:
        ValueError: Lengths that differ, or a score that is not finite.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"two lists of the same length are needed, not {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("every score must be finite")
    draws = _draws(np.arange(len(x)) if groups is None else np.asarray(groups), resamples, seed)
    return Agreement(
        n=len(x),
        pearson=_interval(_pearson, x, y, draws),
        spearman=_interval(_spearman, x, y, draws),
        ccc=_interval(_concordance, x, y, draws),
        mean_difference=float((y - x).mean()) if len(x) else None,
    )


def concordance(first: ArrayLike, second: ArrayLike) -> float:
    """Lin's concordance correlation coefficient of n pairs; NaN where one side is all the same."""
    return _coefficient(_concordance, first, second)


def correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson's correlation coefficient of n pairs; NaN where one side is all the same."""
    return _coefficient(_pearson, first, second)


def rescaled(scores: ArrayLike, source: tuple[float, float], target: tuple[float, float]) -> _Array:
    """Scores of one scale on another, ends to ends."""
    low, high = source
    share = (np.asarray(scores, dtype=np.float64) - low) / (high - low)
    return target[0] + share * (target[1] - target[0])


def _draws(groups: NDArray[np.generic], resamples: int, seed: int) -> NDArray[np.int64]:
    """Number of times each pair is drawn, [R, n]."""
    names, member = np.unique(groups, return_inverse=True)
    if not len(names):
        return np.zeros((resamples, 0), dtype=np.int64)
    shares = np.full(len(names), 1 / len(names))
    return np.random.default_rng(seed).multinomial(len(names), shares, size=resamples)[:, member]


def _interval(
    coefficient: Callable[[_Array, _Array, _Array], _Array], x: _Array, y: _Array, draws: NDArray[np.int64]
) -> Interval | None:
    if len(x) < 2:
        return None
    value = float(coefficient(x, y, np.ones((1, len(x))))[0])
    if not np.isfinite(value):
        return None
    chunks = [draws[start : start + _CHUNK].astype(np.float64) for start in range(0, len(draws), _CHUNK)]
    resampled = np.concatenate([coefficient(x, y, weights) for weights in chunks])
    tail = (1 - _LEVEL) / 2
    # A resample without spread has no coefficient.
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    return Interval(value=value, low=float(low), high=float(high))


def _coefficient(coefficient: Callable[[_Array, _Array, _Array], _Array], first: ArrayLike, second: ArrayLike) -> float:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return float(coefficient(x, y, np.ones((1, len(x))))[0]) if len(x) else float("nan")


def _pearson(x: _Array, y: _Array, weights: _Array) -> _Array:
    return _correlation(*_moments(x, y, weights))


def _spearman(x: _Array, y: _Array, weights: _Array) -> _Array:
    return _correlation(*_moments(_ranks(x, weights), _ranks(y, weights), weights))


def _concordance(x: _Array, y: _Array, weights: _Array) -> _Array:
    spread_x, spread_y, together, shift = _moments(x, y, weights)
    below = spread_x + spread_y + shift**2
    return np.divide(2 * together, below, out=np.full_like(below, np.nan), where=(spread_x > 0) & (spread_y > 0))


def _moments(x: _Array, y: _Array, weights: _Array) -> tuple[_Array, _Array, _Array, _Array]:
    """Variances, covariance and difference in mean under each row of weights: x and y [n] or [R, n], weights [R, n].

    A variance that is the mean's rounding is 0: three scores of .1 have another mean than .1.
    """
    total = weights.sum(axis=1)
    mean_x, mean_y = (weights * x).sum(axis=1) / total, (weights * y).sum(axis=1) / total
    off_x, off_y = x - mean_x[:, None], y - mean_y[:, None]
    parts = (off_x**2, off_y**2, off_x * off_y)
    *spreads, together = ((weights * part).sum(axis=1) / total for part in parts)
    spread_x, spread_y = (
        np.where(spread > (_ROUNDING * np.abs(side).max()) ** 2, spread, 0.0)
        for spread, side in zip(spreads, (x, y), strict=True)
    )
    return spread_x, spread_y, together, mean_x - mean_y


def _correlation(spread_x: _Array, spread_y: _Array, together: _Array, _shift: _Array) -> _Array:
    below = np.sqrt(spread_x * spread_y)
    return np.divide(together, below, out=np.full_like(below, np.nan), where=below > 0)


def _ranks(values: _Array, weights: _Array) -> _Array:
    """Mid-ranks of n values of which each stands `weights` times, [R, n]."""
    place = rankdata(values, method="dense").astype(np.int64) - 1
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    counts = np.add.reduceat(weights[:, order], starts, axis=1)  # count of each distinct value, [R, K]
    return (counts.cumsum(axis=1) - counts / 2 + 0.5)[:, place]
