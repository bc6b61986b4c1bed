"""A variant's score, and its comparison with the control.

The method and its sources are in `fmerl_platform.statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np
from scipy import stats

from fmerl_platform.statistics.crossed import CrossedMean, crossed_mean, seeds_to_decide
from fmerl_platform.statistics.scores import (
    SCORES,
    CellPredictions,
    Score,
    confusion_by_dialogue,
    confusion_by_fold,
    resampled_scores,
)

Verdict = Literal["helps", "hurts", "inconclusive"]

SIGN_PATTERNS = 2**16
"""Sign patterns drawn; with no more than these, up to 16 pairs, all are enumerated."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A variant's score: mean over seeds, with an interval for new seeds and new dialogues."""

    mean: float
    sd: float
    """Deviation between seeds, ddof = 1; NaN for one seed."""
    ci_low: float
    ci_high: float
    """Upper end; for one seed the interval covers new dialogues only."""
    n_seeds: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Variant minus control, paired by seed; every number is NaN when they share no seed."""

    metric: str
    delta: float
    ci_low: float
    ci_high: float
    """Interval of this comparison alone, not adjusted for their number; for one pair, of new dialogues only."""
    seed_variance: float
    """Variance of `delta` over new seeds, the seed x dialogue interaction included; falls as 1 / n_pairs."""
    dialogue_variance: float
    """Variance of `delta` over new dialogues, and new folds where there are any; no number of seeds lowers it. For one
    pair the interaction is in it."""
    delta_accuracy: float
    delta_accuracy_ci_low: float
    delta_accuracy_ci_high: float
    p_value: float
    """P-value of `delta`; NaN with fewer than two pairs or dialogues."""
    p_value_holm: float
    """P-value adjusted over the variants that have one."""
    p_value_sign_flip: float
    """Exact paired test over the seeds on this very test set; never below 2 / 2**n_pairs (.0625 for five).
    NaN with fewer than two pairs."""
    verdict: Verdict
    """`helps`: the variant scores above the control."""
    seeds_to_decide: int | None
    """Planned at level alpha / number of variants (Bonferroni), with this delta and these variances taken as true.
    None: more seeds alone do not decide, the test set is the limit; or fewer than two pairs."""
    n_pairs: int
    missing_in_control: tuple[int, ...]
    """Seeds that some cell of the study has and the control lacks."""
    missing_in_variant: tuple[int, ...]
    """Seeds that some cell of the study has and the variant lacks."""


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
    _columns_by_seed(cells, count())
    scored = _Scored.of(cells, n_classes, scores, resamples, seed)
    found = {}
    for name in scores:
        crossed = scored.mean(name)
        ci_low, ci_high = crossed.interval(alpha)
        sd = math.sqrt(crossed.seed_variance * crossed.n_seeds)
        found[name] = Estimate(mean=crossed.mean, sd=sd, ci_low=ci_low, ci_high=ci_high, n_seeds=crossed.n_seeds)
    return found


def compare(
    control: Sequence[CellPredictions],
    variants: Mapping[str, Sequence[CellPredictions]],
    n_classes: int,
    *,
    metric: str = "weighted_f1",
    scores: Mapping[str, Score] = SCORES,
    resamples: int = 10_000,
    alpha: float = 0.05,
    power: float = 0.8,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare every variant with the control on the seeds that both have.

    Args:
        control: Cells of the control, one per seed.
        variants: Cells of each variant, one per seed; a variant whose cells all failed has none.
        n_classes: C.
        metric: Score of `delta`, the p-values, the verdict and the plan; one of `scores`.
        scores: Scores by name, `accuracy` among them.
        resamples: Resampled test sets.
        alpha: Family-wise level of the verdicts; intervals have confidence 1 - alpha.
        power: Power of the plan.
        seed: Seed of the resampling.

    Raises:
        ValueError: No cells at all, cells of one variant that share a seed, or a class index out of range.
        InputError: The cells were not tested on the same utterances.
    """
    column = count()
    control_columns = _columns_by_seed(control, column)
    variant_columns = {name: _columns_by_seed(cells, column) for name, cells in variants.items()}
    every_seed = set(control_columns).union(*variant_columns.values())

    every_cell = [*control, *(cell for cells in variants.values() for cell in cells)]
    scored = _Scored.of(every_cell, n_classes, scores, resamples, seed)

    def differences(values: np.ndarray, columns: dict[int, int]) -> np.ndarray:
        pairs = sorted(columns.keys() & control_columns.keys())
        return values[..., [columns[pair] for pair in pairs]] - values[..., [control_columns[pair] for pair in pairs]]

    def effect(metric: str, columns: dict[int, int]) -> CrossedMean:
        return scored.mean(metric, lambda values: differences(values, columns))

    effects = {name: effect(metric, columns) for name, columns in variant_columns.items()}
    p_values = {name: result.p_value() for name, result in effects.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))

    comparisons: dict[str, Comparison] = {}
    for name, columns in variant_columns.items():
        delta, delta_accuracy = effects[name], effect("accuracy", columns)
        low, high = delta.interval(alpha)
        accuracy_low, accuracy_high = delta_accuracy.interval(alpha)
        comparisons[name] = Comparison(
            metric=metric,
            delta=delta.mean,
            ci_low=low,
            ci_high=high,
            seed_variance=delta.seed_variance,
            dialogue_variance=delta.dialogue_variance + delta.fold_variance,
            delta_accuracy=delta_accuracy.mean,
            delta_accuracy_ci_low=accuracy_low,
            delta_accuracy_ci_high=accuracy_high,
            p_value=p_values[name],
            p_value_holm=adjusted[name],
            p_value_sign_flip=sign_flip_p_value(differences(scored.observed[metric], columns)),
            verdict=_verdict(delta.mean, adjusted[name], alpha),
            seeds_to_decide=seeds_to_decide(delta, alpha=alpha / len(variants), power=power),
            n_pairs=delta.n_seeds,
            missing_in_control=tuple(sorted(every_seed - control_columns.keys())),
            missing_in_variant=tuple(sorted(every_seed - columns.keys())),
        )
    return comparisons


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjustment; a NaN stays NaN and does not count as a test."""
    raw = np.asarray(p_values, dtype=float)
    tested = np.flatnonzero(~np.isnan(raw))
    ascending = tested[np.argsort(raw[tested])]
    adjusted = np.full(len(raw), np.nan)
    adjusted[ascending] = np.maximum.accumulate(raw[ascending] * np.arange(len(ascending), 0, -1)).clip(max=1)
    return adjusted.tolist()


def sign_flip_p_value(differences: np.ndarray) -> float:
    """Two-sided permutation test of the mean of paired differences [S]: under no effect their signs are arbitrary.

    Exact up to 16 pairs; NaN with fewer than two.
    """
    if len(differences) < 2:
        return math.nan
    test = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=SIGN_PATTERNS, batch=2**12, rng=0
    )
    return float(test.pvalue)


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """Scores by name of K cells, on the test set and on R resampled ones."""

    observed: Mapping[str, np.ndarray]
    """[K]"""
    resampled: Mapping[str, np.ndarray]
    """On resampled dialogues, [R, K]."""
    by_fold: Mapping[str, np.ndarray] | None
    """On resampled whole folds, [R, K]."""
    n_dialogues: int
    n_folds: int

    @classmethod
    def of(
        cls, cells: Sequence[CellPredictions], n_classes: int, scores: Mapping[str, Score], resamples: int, seed: int
    ) -> _Scored:
        counts, folds = confusion_by_dialogue(cells, n_classes), confusion_by_fold(cells, n_classes)
        return cls(
            observed={name: score(counts.sum(axis=1)) for name, score in scores.items()},
            resampled=resampled_scores(counts, resamples, seed, scores),
            by_fold=None if folds is None else resampled_scores(folds, resamples, seed, scores),
            n_dialogues=counts.shape[1],
            n_folds=1 if folds is None else folds.shape[1],
        )

    def mean(self, metric: str, chosen: Callable[[np.ndarray], np.ndarray] = lambda values: values) -> CrossedMean:
        """The mean over the cells of a score, or of what `chosen` makes of the cells' scores [..., K]."""
        return crossed_mean(
            chosen(self.observed[metric]),
            chosen(self.resampled[metric]),
            self.n_dialogues,
            None if self.by_fold is None else chosen(self.by_fold[metric]),
            self.n_folds,
        )


def _columns_by_seed(cells: Sequence[CellPredictions], column: Iterator[int]) -> dict[int, int]:
    """Column number of each cell, by seed; numbers go on from `column`."""
    columns = {cell.seed: next(column) for cell in cells}
    if len(columns) < len(cells):
        raise ValueError(f"cells of one variant share a seed: {sorted(cell.seed for cell in cells)}")
    return columns


def _verdict(delta: float, p_value_holm: float, alpha: float) -> Verdict:
    if not p_value_holm < alpha:
        return "inconclusive"
    return "helps" if delta > 0 else "hurts"
