"""Differences between groups of cells, paired by seed, on the same observed and resampled test sets.

S seeds, K cells, G dialogues, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fmerl_platform.statistics.crossed import CrossedMean, crossed_mean
from fmerl_platform.statistics.scores import CellPredictions, Score, confusion_by_dialogue, resampled_scores


class PairedScores:
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
        counts = confusion_by_dialogue([cell for cells in groups for cell in cells], n_classes)
        self.n_dialogues = counts.shape[1]
        self.observed = {name: score(counts.sum(axis=1)) for name, score in scores.items()}
        """Scores on the test set by name, [K]."""
        self.resampled = resampled_scores(counts, resamples, seed, scores)
        """Scores on resampled test sets by name, [R, K]."""

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
        observed, resampled = self.differences(metric, pairs)
        return crossed_mean(observed, resampled, self.n_dialogues)

    def differences(self, metric: str, pairs: Mapping[int | None, tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Paired differences of a score on the test set, [S], and on resampled ones, [R, S]."""
        ours = [column for column, _ in pairs.values()]
        theirs = [column for _, column in pairs.values()]
        observed, resampled = self.observed[metric], self.resampled[metric]
        return observed[ours] - observed[theirs], resampled[:, ours] - resampled[:, theirs]


def columns_by_seed(cells: Sequence[CellPredictions], first: int = 0) -> dict[int | None, int]:
    """Column number of each cell by seed; numbers start at `first`."""
    columns = {cell.seed: first + number for number, cell in enumerate(cells)}
    if len(columns) < len(cells) or (None in columns and len(columns) > 1):
        raise ValueError(f"cells of one variant share a seed: {[cell.seed for cell in cells]}")
    return columns
