"""Rules that end a search which finds nothing better any more, and a trial that is worse than the best."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import optuna
from optuna.pruners import WilcoxonPruner
from optuna.trial import create_trial

Pruning = Literal["asha", "wilcoxon", "none"]
FEWEST_SEEDS = 5
"""Fewest seeds of a trial that the Wilcoxon test can spare one: a one-sided p below .1 takes four."""


class NoImprovement:
    """Counts trials in a row that ended without a new best: each was beaten or equalled in all objectives by another.

    Args:
        patience: Number of such trials that ends the search; None never does.
        trials: Objectives of earlier trials, in the order in which they ended; none of one that failed.
    """

    def __init__(self, patience: int | None, trials: Iterable[Sequence[float]] = ()) -> None:
        self._patience, self._since = patience, 0
        self._front: list[Sequence[float]] = []
        for objectives in trials:
            self.add(objectives)

    def add(self, objectives: Sequence[float]) -> None:
        """Count a trial that has ended, by its objectives; none if it failed."""
        if not objectives or any(_reaches(other, objectives) for other in self._front):
            self._since += 1
        else:
            self._since = 0
            self._front = [other for other in self._front if not _reaches(objectives, other)] + [objectives]

    @property
    def reached(self) -> bool:
        """True if the search is to end."""
        return self._patience is not None and self._since >= self._patience


class WorseThanBest:
    """Ends a trial that Wilcoxon's signed-rank test finds worse than the best one, on the seeds that both trained.

    Args:
        trials: Reports of earlier trials that trained all seeds: the mean over seeds so far, by their number.
    """

    def __init__(self, trials: Iterable[Mapping[int, float]] = ()) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            self._pruner = WilcoxonPruner(p_threshold=0.1)
        self._study = optuna.create_study(direction="maximize")
        for means in trials:
            self.add(means)

    def add(self, means: Mapping[int, float]) -> None:
        """Add a trial that trained all seeds."""
        trial = create_trial(value=means[max(means)], intermediate_values=_by_seed(means))
        self._study.add_trial(trial)

    def reached(self, means: Mapping[int, float]) -> bool:
        """True if a trial with these means over its first seeds is to end."""
        trial = create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values=_by_seed(means))
        return self._pruner.prune(self._study, trial)


def _by_seed(means: Mapping[int, float]) -> dict[int, float]:
    """Score of each seed from the means over the first 1, 2, ... seeds; rounded, so that equal scores stay equal."""
    counts = sorted(means)
    totals = [count * means[count] for count in counts]
    return dict(zip(counts, np.diff(totals, prepend=0.0).round(12).tolist(), strict=True))


def _reaches(one: Sequence[float], other: Sequence[float]) -> bool:
    """True if `one` is at least as good in every objective."""
    return all(a >= b for a, b in zip(one, other, strict=True))
