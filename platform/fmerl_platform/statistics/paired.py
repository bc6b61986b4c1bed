"""Differences between groups of cells, paired by seed, on the same observed and resampled test sets.

S seeds, K cells, G dialogues, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from fmerl_platform.statistics.crossed import CrossedMean, crossed_mean
from fmerl_platform.statistics.scores import (
    CellPredictions,
    Score,
    confusion_by_dialogue,
    confusion_by_fold,
    resampled_scores,
)

Name = TypeVar("Name", bound=Hashable)

CELLS_AT_ONCE = 1000
"""Cells whose scores on resampled test sets are held at once: 160 MB for two scores and 10,000 resamples."""


class CellScores:
    """Scores of cells by name, on the test set, on resampled ones and, of a study in folds, on resampled whole folds.

    Args:
        cells: Cells tested on the same utterances.
        n_classes: C.
        scores: Scores by name.
        resamples: R.
        seed: Seed of the resampling.

    Raises:
        ValueError: No cells, or a class index out of range.
        InputError: The cells were not tested on the same utterances, or by the same folds.
    """

    def __init__(
        self,
        cells: Sequence[CellPredictions],
        n_classes: int,
        scores: Mapping[str, Score],
        *,
        resamples: int,
        seed: int,
    ) -> None:
        counts, by_fold = confusion_by_dialogue(cells, n_classes), confusion_by_fold(cells, n_classes)
        self.n_dialogues = counts.shape[1]
        self.n_folds = 1 if by_fold is None else by_fold.shape[1]
        self.observed = {name: score(counts.sum(axis=1)) for name, score in scores.items()}
        """Scores on the test set by name, [K]."""
        self.resampled = resampled_scores(counts, resamples, seed, scores)
        """Scores on resampled test sets by name, [R, K]."""
        self.resampled_folds = None if by_fold is None else resampled_scores(by_fold, resamples, seed, scores)
        """Scores on test sets of resampled whole folds by name, [R, K]; None without folds."""

    def mean(self, metric: str, chosen: Callable[[np.ndarray], np.ndarray] = lambda values: values) -> CrossedMean:
        """The mean over the cells of a score, or of what `chosen` makes of the cells' scores [..., K]."""
        return crossed_mean(
            chosen(self.observed[metric]),
            chosen(self.resampled[metric]),
            self.n_dialogues,
            None if self.resampled_folds is None else chosen(self.resampled_folds[metric]),
            self.n_folds,
        )


class PairedScores(CellScores):
    """Scores of groups of cells; a group is a variant's cells, one per seed, and may be empty.

    Args:
        groups: Cells of each group, all tested on the same utterances.
        n_classes: C.
        scores: Scores by name.
        resamples: R.
        seed: Seed of the resampling.

    Raises:
        ValueError: No cells at all, cells of one group that share a seed, or a class index out of range.
        InputError: The cells were not tested on the same utterances.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[CellPredictions]],
        n_classes: int,
        scores: Mapping[str, Score],
        *,
        resamples: int,
        seed: int,
    ) -> None:
        self._columns: list[dict[int | None, int]] = []
        first = 0
        for cells in groups:
            self._columns.append(columns_by_seed(cells, first))
            first += len(cells)
        every_cell = [cell for cells in groups for cell in cells]
        super().__init__(every_cell, n_classes, scores, resamples=resamples, seed=seed)

    def seeds(self, group: int) -> set[int]:
        """Seeds of a group; none of predictions that no seed made."""
        return {seed for seed in self._columns[group] if seed is not None}

    def pairs(self, group: int, control: int) -> dict[int | None, tuple[int, int]]:
        """Columns of group and control by seed, ascending; what no seed made is paired with every seed."""
        ours, theirs = self._columns[group], self._columns[control]
        if None in ours and None not in theirs:
            ours = dict.fromkeys(theirs, ours[None])
        elif None in theirs and None not in ours:
            theirs = dict.fromkeys(ours, theirs[None])
        shared = sorted(ours.keys() & theirs.keys(), key=lambda seed: -1 if seed is None else seed)
        return {seed: (ours[seed], theirs[seed]) for seed in shared}

    def by_seed(self, metric: str) -> np.ndarray:
        """Scores with each seed that all groups have, [S, groups]; where they share none, means [1, groups]."""
        observed = self.observed[metric]
        seeded = [self.seeds(group) for group, columns in enumerate(self._columns) if None not in columns]
        shared: list[int | None] = [*sorted(set.intersection(*seeded))] if seeded else [None]
        if not shared:
            return np.array([[observed[list(columns.values())].mean() for columns in self._columns]])
        rows = [[columns[None if None in columns else seed] for columns in self._columns] for seed in shared]
        return observed[np.array(rows)]

    def effect(self, metric: str, pairs: Mapping[int | None, tuple[int, int]]) -> CrossedMean:
        """Mean paired difference of a score."""
        return self.mean(metric, lambda values: _differences(values, pairs))

    def differences(self, metric: str, pairs: Mapping[int | None, tuple[int, int]]) -> np.ndarray:
        """Paired differences of a score on the test set, [S]."""
        return _differences(self.observed[metric], pairs)


def _differences(values: np.ndarray, pairs: Mapping[int | None, tuple[int, int]]) -> np.ndarray:
    """[..., K] -> [..., S]."""
    ours, theirs = [column for column, _ in pairs.values()], [column for _, column in pairs.values()]
    return values[..., ours] - values[..., theirs]


def paired_with(
    control: Sequence[CellPredictions],
    variants: Mapping[Name, Sequence[CellPredictions]],
    n_classes: int,
    scores: Mapping[str, Score],
    *,
    resamples: int,
    seed: int,
) -> Iterator[tuple[Name, PairedScores, int]]:
    """Every variant's name, scores that hold its cells and the control's, and its group in them; the control's is 0.

    Scores of `CELLS_AT_ONCE` cells are held at once, of a larger variant all.
    """
    names = list(variants)
    count = max(1, CELLS_AT_ONCE // max([1, *map(len, variants.values())]))
    for some in (names[start : start + count] for start in range(0, len(names), count)):
        groups = [control, *(variants[name] for name in some)]
        paired = PairedScores(groups, n_classes, scores, resamples=resamples, seed=seed)
        yield from ((name, paired, group) for group, name in enumerate(some, start=1))


def columns_by_seed(cells: Sequence[CellPredictions], first: int = 0) -> dict[int | None, int]:
    """Column number of each cell by seed; numbers start at `first`."""
    columns = {cell.seed: first + number for number, cell in enumerate(cells)}
    if len(columns) < len(cells) or (None in columns and len(columns) > 1):
        raise ValueError(f"cells of one variant share a seed: {[cell.seed for cell in cells]}")
    return columns
