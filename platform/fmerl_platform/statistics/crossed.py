"""A mean over crossed seeds and dialogues: its variance, interval, p-value, and the seeds a decision takes.

S seeds, G dialogues, R resamples. The method and its sources are in `fmerl_platform.statistics`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

MAX_SEEDS = 1000
"""Most seeds that `seeds_to_decide` tries."""

SMALLEST_P = 1e-100
"""Smallest p-value; one below it is reported as 0."""


@dataclass(frozen=True, kw_only=True)
class CrossedMean:
    """A mean over S seeds on a test set of G dialogues, with the two parts of its sampling variance.

    A level with a single unit has no part: the interval then holds for that very seed (or dialogue) only, and
    there is no p-value.
    """

    mean: float
    """Mean over seeds; NaN when S = 0."""
    seed_variance: float
    """Variance over new seeds, the seed x dialogue interaction included; falls as 1 / S. NaN when S < 2."""
    dialogue_variance: float
    """Variance over new dialogues, the same for any S; with the interaction when S = 1. NaN when G = 1 or S = 0."""
    n_seeds: int
    n_dialogues: int
    fold_variance: float = 0.0
    """Variance over new folds beyond that of their dialogues, 0 without folds."""
    n_folds: int = 1

    def _parts(self) -> list[tuple[float, int]]:
        """Variance and degrees of freedom of each level that has more than one unit."""
        levels = [(self.seed_variance, self.n_seeds - 1), (self.dialogue_variance, self.n_dialogues - 1)]
        if self.n_folds > 1:
            levels.append((self.fold_variance, self.n_folds - 1))
        return [(variance, df) for variance, df in levels if not math.isnan(variance)]

    @property
    def _testable(self) -> bool:
        """True with several seeds and several dialogues."""
        return not math.isnan(self.seed_variance) and not math.isnan(self.dialogue_variance)

    @property
    def standard_error(self) -> float:
        """Square root of the variance; NaN when no level has more than one unit."""
        parts = self._parts()
        return math.sqrt(sum(variance for variance, _ in parts)) if parts else math.nan

    def critical_value(self, level: float) -> float:
        """Two-sided critical value of |mean| / standard error (Cochran & Cox 1950); needs a standard error above 0."""
        parts = [(variance, df) for variance, df in self._parts() if variance > 0]
        weighted = sum(variance * -special.stdtrit(df, level / 2) for variance, df in parts)
        return float(weighted / sum(variance for variance, _ in parts))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Two-sided interval of confidence 1 - alpha; NaN without a standard error."""
        error = self.standard_error
        half_width = self.critical_value(alpha) * error if error > 0 else error
        return self.mean - half_width, self.mean + half_width

    def p_value(self) -> float:
        """Two-sided p-value of a mean of 0: the alpha at which the interval touches 0.

        NaN unless there are several seeds and several dialogues. When all seeds and dialogues agree exactly it is what
        shrinking variances tend to: 1 for a mean of 0, else 0.
        """
        if not self._testable:
            return math.nan
        if self.standard_error == 0:
            return float(self.mean == 0)
        return self._two_sided(abs(self.mean) / self.standard_error)

    def p_equivalent(self, margin: float) -> float:
        """P-value of two one-sided tests (Schuirmann 1987): small when the mean surely lies within the margin.

        The larger of the p-values of a mean of -margin or less and of margin or more: below alpha just where the
        interval of confidence 1 - 2 alpha lies within the margin. NaN and degenerate cases as for `p_value`.

        Args:
            margin: Above 0, in the unit of the mean.
        """
        if not self._testable:
            return math.nan
        room = margin - abs(self.mean)
        if self.standard_error == 0:
            return float(room <= 0)
        tail = self._two_sided(abs(room) / self.standard_error) / 2
        return tail if room > 0 else 1 - tail

    def _two_sided(self, statistic: float) -> float:
        """Level at which this is the critical value."""
        if self.critical_value(SMALLEST_P) < statistic:
            return 0.0
        return float(optimize.bisect(lambda level: self.critical_value(level) - statistic, SMALLEST_P, 1.0, xtol=1e-15))


def crossed_mean(
    scores: np.ndarray,
    resampled: np.ndarray,
    n_dialogues: int,
    by_fold: np.ndarray | None = None,
    n_folds: int = 1,
) -> CrossedMean:
    """The mean over seeds of a score, or of a paired difference of scores.

    Args:
        scores: Score of each seed on the test set [S].
        resampled: Score of each seed on resampled test sets, a row's test set the same for all seeds [R, S].
        n_dialogues: G.
        by_fold: Score of each seed on test sets of resampled whole folds [R, S]; None without folds.
        n_folds: Number of folds.
    """
    n_seeds = len(scores)
    seed_variance = dialogue_variance = math.nan
    if n_seeds > 1:
        seed_variance = float(scores.var(ddof=1)) / n_seeds
    if n_seeds > 0 and n_dialogues > 1:
        dialogue_variance = _variance_of_cases(scores, resampled)
    fold_variance = 0.0
    if n_seeds > 0 and by_fold is not None:
        fold_variance = max(_variance_of_cases(scores, by_fold) - dialogue_variance, 0.0)
    return CrossedMean(
        mean=float(scores.mean()) if n_seeds else math.nan,
        seed_variance=seed_variance,
        dialogue_variance=dialogue_variance,
        n_seeds=n_seeds,
        n_dialogues=n_dialogues,
        fold_variance=fold_variance,
        n_folds=n_folds,
    )


def _variance_of_cases(scores: np.ndarray, resampled: np.ndarray) -> float:
    """Variance of the mean over seeds when the test set is drawn anew; for S > 1 without the interaction."""
    variance = float(resampled.mean(axis=1).var(ddof=1))
    if len(scores) < 2:
        return variance
    interaction = float((resampled - scores).var(axis=1, ddof=1).mean()) / len(scores)
    return max(variance - interaction, 0.0)


def seeds_to_decide(effect: CrossedMean, *, alpha: float, power: float) -> int | None:
    """Fewest seeds with which a test at level alpha finds an effect of this size with the given power.

    It takes the estimated mean and variances for the true ones, so it is a plan and no promise: an overestimated
    effect needs more seeds than said.

    Returns:
        The number of seeds, at least 2. None when `MAX_SEEDS` are not enough (in general because the dialogues'
        part alone is too large: the test set is the limit) or when a variance is unknown.
    """
    if math.isnan(effect.p_value()):
        return None
    candidates = range(2, MAX_SEEDS + 1)
    index = bisect_left(candidates, True, key=lambda n_seeds: planned_power(effect, n_seeds, alpha) >= power)
    return candidates[index] if index < len(candidates) else None


def planned_power(effect: CrossedMean, n_seeds: int, alpha: float) -> float:
    """Chance that the interval at `n_seeds` excludes 0 on the effect's side.

    The estimated mean is normal; the estimated seed variance is a scaled chi-squared variable, integrated over at
    64 quantiles; the dialogues' and the folds' variances, which no seed changes, are taken as known.
    """
    seed_variance, dialogue_variance = effect.seed_variance * effect.n_seeds / n_seeds, effect.dialogue_variance
    case_variance = dialogue_variance + effect.fold_variance
    true_error = math.sqrt(seed_variance + case_variance)
    if true_error == 0:
        return float(effect.mean != 0)
    chi_squared = 2 * special.gammaincinv((n_seeds - 1) / 2, (np.arange(64) + 0.5) / 64)
    estimated = seed_variance * chi_squared / (n_seeds - 1)
    seed_t, dialogue_t = -special.stdtrit([n_seeds - 1, effect.n_dialogues - 1], alpha / 2)
    critical = estimated * seed_t + dialogue_variance * dialogue_t
    if effect.n_folds > 1:
        critical = critical + effect.fold_variance * -special.stdtrit(effect.n_folds - 1, alpha / 2)
    half_width = critical / np.sqrt(estimated + case_variance)
    return float(special.ndtr((abs(effect.mean) - half_width) / true_error).mean())
