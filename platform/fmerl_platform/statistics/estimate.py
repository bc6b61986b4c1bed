"""A variant's score over its seeds.

The method and its sources are in `fmerl_platform.statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fmerl_platform.statistics.paired import CellScores, columns_by_seed
from fmerl_platform.statistics.scores import SCORES, CellPredictions, Score


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A variant's score: mean over seeds, with an interval for new seeds and dialogues, and for new folds if any."""

    mean: float
    sd: float
    """Deviation between seeds, ddof = 1; NaN for one seed."""
    ci_low: float
    ci_high: float
    """Upper end; for one seed the interval covers new dialogues only."""
    n_seeds: int


def estimate(
    cells: Sequence[CellPredictions],
    n_classes: int,
    *,
    metric: str = "weighted_f1",
    resamples: int = 10_000,
    alpha: float = 0.05,
    seed: int = 0,
) -> Estimate:
    """One variant's score over its seeds; raises as `estimates` does."""
    scores = {metric: SCORES[metric]}
    return estimates(cells, n_classes, scores, resamples=resamples, alpha=alpha, seed=seed)[metric]


def estimates(
    cells: Sequence[CellPredictions],
    n_classes: int,
    scores: Mapping[str, Score],
    *,
    resamples: int = 10_000,
    alpha: float = 0.05,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Several scores of one variant over its seeds, by name, from the same resampled test sets.

    Raises:
        ValueError: No cells, cells that share a seed, or a class index out of range.
        InputError: The cells were not tested on the same utterances.
    """
    columns_by_seed(cells)
    scored = CellScores(cells, n_classes, scores, resamples=resamples, seed=seed)
    found = {}
    for name in scores:
        crossed = scored.mean(name)
        ci_low, ci_high = crossed.interval(alpha)
        sd = math.sqrt(crossed.seed_variance * crossed.n_seeds)
        found[name] = Estimate(mean=crossed.mean, sd=sd, ci_low=ci_low, ci_high=ci_high, n_seeds=crossed.n_seeds)
    return found
