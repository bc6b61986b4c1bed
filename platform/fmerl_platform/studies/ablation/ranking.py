"""Every system against every other: ranks, and which of them cannot be told apart.

Demšar's (2006, JMLR 7) critical-difference diagram with paired tests in place of Nemenyi's, as Benavoli, Corani &
Mangili (2016, JMLR 17) ask: whether two systems differ does not depend on which others are in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from scipy import stats

from fmerl_platform.statistics import SCORES, CellPredictions, Comparison, PairedEffect, PairedScores, judge


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Systems from the best mean rank to the worst, and all pairs of them."""

    ranks: Mapping[str, float]
    """Mean rank by name, 1 for the highest score, over the seeds that all systems have; where they share none, rank of
    their means."""
    n_seeds: int
    pairs: Mapping[tuple[str, str], Comparison]
    """Comparisons of (better ranked, worse ranked), corrected over all pairs; `delta` is first minus second."""

    def undecided(self, one: str, other: str) -> bool:
        """True if the two are not told apart."""
        pair = (one, other) if (one, other) in self.pairs else (other, one)
        return self.pairs[pair].verdict in ("inconclusive", "equivalent")

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Largest runs of neighbours in rank of which no two are told apart, each of at least two systems."""
        names = list(self.ranks)
        found: list[tuple[int, int]] = []
        for start in range(len(names)):
            end = start + 1
            while end < len(names) and all(self.undecided(name, names[end]) for name in names[start:end]):
                end += 1
            if end - start > 1 and not (found and end <= found[-1][1]):
                found.append((start, end))
        return tuple(tuple(names[start:end]) for start, end in found)


def rank_systems(
    systems: Mapping[str, Sequence[CellPredictions]],
    n_classes: int,
    *,
    metric: str = "weighted_f1",
    resamples: int = 10_000,
    alpha: float = 0.05,
    margin: float | None = None,
    seed: int = 0,
) -> Ranking:
    """Rank systems by seed and compare all pairs.

    Args:
        systems: Cells of each system, at least one each.
        n_classes: C.
        metric: As all further arguments, see `compare`; Holm's correction is over all pairs.
    """
    names = list(systems)
    paired = PairedScores(list(systems.values()), n_classes, SCORES, resamples=resamples, seed=seed)
    scores = paired.by_seed(metric)
    ranks = stats.rankdata(-scores, axis=1).mean(axis=0)
    order = sorted(range(len(names)), key=lambda index: (ranks[index], -scores[:, index].mean()))
    effects = {}
    for one, other in combinations(order, 2):
        effects[names[one], names[other]] = PairedEffect.of(paired, one, other, metric)
    return Ranking(
        ranks={names[index]: float(ranks[index]) for index in order},
        n_seeds=len(scores),
        pairs=judge(effects, metric=metric, alpha=alpha, margin=margin),
    )
