"""Comparison of variants with their control.

The method and its sources are in `fmerl_platform.statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from fmerl_platform.statistics.crossed import CrossedMean, seeds_to_decide
from fmerl_platform.statistics.paired import Name, PairedScores, paired_with
from fmerl_platform.statistics.scores import SCORES, CellPredictions, Score

Verdict = Literal["helps", "hurts", "inconclusive", "equivalent"]

SIGN_PATTERNS = 2**16
"""Sign patterns drawn; with no more than these, up to 16 pairs, all are enumerated."""


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Two one-sided tests of a difference against a margin that was stated beforehand."""

    margin: float
    """Largest difference, either way, that counts as none; of the score's unit."""
    p_value: float
    """P-value of a difference at least as large as the margin; NaN with fewer than two pairs or dialogues."""
    p_value_holm: float
    """P-value adjusted over the variants that have one."""


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
    """`helps`: the variant scores above the control. `equivalent`: neither that nor below, and within the margin."""
    seeds_to_decide: int | None
    """Planned at level alpha / number of variants (Bonferroni), with this delta and these variances taken as true.
    None: more seeds alone do not decide, the test set is the limit; or fewer than two pairs."""
    n_pairs: int
    missing_in_control: tuple[int, ...]
    """Seeds that some cell of the study has and the control lacks."""
    missing_in_variant: tuple[int, ...]
    """Seeds that some cell of the study has and the variant lacks."""
    equivalence: Equivalence | None = None
    """None unless a margin was stated."""


@dataclass(frozen=True, kw_only=True)
class PairedEffect:
    """Effect of one variant, before it is judged beside the others."""

    delta: CrossedMean
    delta_accuracy: CrossedMean
    seed_deltas: np.ndarray
    """Differences by seed, [S]."""
    missing_in_control: tuple[int, ...] = ()
    missing_in_variant: tuple[int, ...] = ()

    @classmethod
    def of(cls, paired: PairedScores, group: int, control: int, metric: str = "weighted_f1") -> PairedEffect:
        """Effect of a group of cells against another on a score; scores have `accuracy` beside it."""
        pairs = paired.pairs(group, control)
        return cls(
            delta=paired.effect(metric, pairs),
            delta_accuracy=paired.effect("accuracy", pairs),
            seed_deltas=paired.differences(metric, pairs),
        )


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
    margin: float | None = None,
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
        margin: Largest difference that counts as none; without it no verdict is `equivalent`.
        seed: Seed of the resampling.

    Raises:
        ValueError: No cells at all, cells of one variant that share a seed, or a class index out of range.
        InputError: The cells were not tested on the same utterances.
    """
    every_seed = {cell.seed for cells in (control, *variants.values()) for cell in cells if cell.seed is not None}
    effects = {
        name: replace(
            PairedEffect.of(paired, group, 0, metric),
            missing_in_control=_missing(control, every_seed),
            missing_in_variant=_missing(variants[name], every_seed),
        )
        for name, paired, group in paired_with(control, variants, n_classes, scores, resamples=resamples, seed=seed)
    }
    return judge(effects, metric=metric, alpha=alpha, power=power, margin=margin)


def judge(
    effects: Mapping[Name, PairedEffect],
    *,
    metric: str = "weighted_f1",
    alpha: float = 0.05,
    power: float = 0.8,
    margin: float | None = None,
) -> dict[Name, Comparison]:
    """Verdicts on effects that are judged together; the arguments are those of `compare`."""
    p_values = {name: effect.delta.p_value() for name, effect in effects.items()}
    adjusted = _adjusted(p_values)
    equivalences: dict[Name, Equivalence] = {}
    if margin is not None:
        within = {name: effect.delta.p_equivalent(margin) for name, effect in effects.items()}
        within_adjusted = _adjusted(within)
        equivalences = {
            name: Equivalence(margin=margin, p_value=within[name], p_value_holm=within_adjusted[name])
            for name in effects
        }
    comparisons: dict[Name, Comparison] = {}
    for name, effect in effects.items():
        delta, delta_accuracy = effect.delta, effect.delta_accuracy
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
            p_value_sign_flip=sign_flip_p_value(effect.seed_deltas),
            verdict=_verdict(delta.mean, adjusted[name], equivalences.get(name), alpha),
            seeds_to_decide=seeds_to_decide(delta, alpha=alpha / len(effects), power=power),
            n_pairs=delta.n_seeds,
            missing_in_control=effect.missing_in_control,
            missing_in_variant=effect.missing_in_variant,
            equivalence=equivalences.get(name),
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
    # Sums of the same numbers in another order differ by their rounding, and SciPy takes a mean of rounding for one.
    values = differences / (np.abs(differences).max() or 1.0)
    test = stats.permutation_test(
        (values,), _rounded_mean, permutation_type="samples", n_resamples=SIGN_PATTERNS, batch=2**12, rng=0
    )
    return float(test.pvalue)


def _rounded_mean(signed: np.ndarray, axis: int) -> np.ndarray:
    return signed.mean(axis=axis).round(12)


def _adjusted(p_values: Mapping[Name, float]) -> dict[Name, float]:
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def _missing(cells: Sequence[CellPredictions], every_seed: set[int]) -> tuple[int, ...]:
    """Seeds that a variant lacks; none where it was made without seeds."""
    own = {cell.seed for cell in cells}
    return () if None in own else tuple(sorted(every_seed - own))


def _verdict(delta: float, p_value_holm: float, equivalence: Equivalence | None, alpha: float) -> Verdict:
    if p_value_holm < alpha:
        return "helps" if delta > 0 else "hurts"
    if equivalence and equivalence.p_value_holm < alpha:
        return "equivalent"
    return "inconclusive"
