"""Verdicts over several corpora together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmerl_platform.statistics.crossed import CrossedMean, crossed_mean
from fmerl_platform.statistics.paired import PairedScores
from fmerl_platform.statistics.scores import SCORES, CellPredictions
from fmerl_platform.statistics.verdict import Comparison, PairedEffect, judge


@dataclass(frozen=True, kw_only=True)
class CorpusPredictions:
    """Cells of one corpus: the control's and each variant's."""

    control: Sequence[CellPredictions]
    variants: Mapping[str, Sequence[CellPredictions]]
    n_classes: int


def compare_pooled(
    corpora: Sequence[CorpusPredictions],
    *,
    metric: str = "weighted_f1",
    resamples: int = 10_000,
    alpha: float = 0.05,
    power: float = 0.8,
    margin: float | None = None,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare every variant that all corpora have with the control, by the mean of the corpora's effects.

    Each corpus weighs the same, whatever its size. Dialogues are resampled within each corpus (a stratified
    bootstrap); a seed's difference is its mean over the corpora, so seeds count that all corpora have. The corpora are
    taken as they are, not as drawn from all conversations: the verdict is on these.

    Args:
        corpora: At least one.
        metric: As all further arguments, see `compare`.
    """
    names = [name for name in corpora[0].variants if all(name in corpus.variants for corpus in corpora)]
    paired = [
        PairedScores(
            [corpus.control, *(corpus.variants[name] for name in names)],
            corpus.n_classes,
            SCORES,
            resamples=resamples,
            seed=seed + number,  # the same draws would tie the corpora's dialogues to each other
        )
        for number, corpus in enumerate(corpora)
    ]
    effects = {}
    for group, name in enumerate(names, start=1):
        pairs = [scores.pairs(group, 0) for scores in paired]
        shared = [seed for seed in pairs[0] if all(seed in found for found in pairs)]
        kept = [{seed: found[seed] for seed in shared} for found in pairs]
        delta, seed_deltas = _effect(paired, kept, metric)
        delta_accuracy, _ = _effect(paired, kept, "accuracy")
        effects[name] = PairedEffect(delta=delta, delta_accuracy=delta_accuracy, seed_deltas=seed_deltas)
    return judge(effects, metric=metric, alpha=alpha, power=power, margin=margin)


def _effect(
    corpora: Sequence[PairedScores], pairs: Sequence[Mapping[int | None, tuple[int, int]]], metric: str
) -> tuple[CrossedMean, np.ndarray]:
    """Mean over corpora of a score's difference, and its values by seed [S]."""
    differences = [scores.differences(metric, found) for scores, found in zip(corpora, pairs, strict=True)]
    observed, resampled = (np.mean(part, axis=0) for part in zip(*differences, strict=True))
    # The smallest test set may carry most of the variance, and has the fewest degrees of freedom.
    return crossed_mean(observed, resampled, min(scores.n_dialogues for scores in corpora)), observed
