"""Verdicts over several corpora together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmerl_platform.statistics import (
    SCORES,
    CellPredictions,
    Comparison,
    CrossedMean,
    PairedEffect,
    PairedScores,
    judge,
)


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
    bootstrap), and trainings on different corpora are independent, so the variances of the mean add up. Degrees of
    freedom are those of the corpus that has fewest. The corpora are taken as they are, not as drawn from all
    conversations: the verdict is on these.

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
            seed=seed,
        )
        for corpus in corpora
    ]
    effects = {}
    for group, name in enumerate(names, start=1):
        pairs = [scores.pairs(group, 0) for scores in paired]
        by_corpus = list(zip(paired, pairs, strict=True))
        effects[name] = PairedEffect(
            delta=_mean([scores.effect(metric, found) for scores, found in by_corpus]),
            delta_accuracy=_mean([scores.effect("accuracy", found) for scores, found in by_corpus]),
            seed_deltas=np.concatenate([scores.differences(metric, found) for scores, found in by_corpus]),
        )
    return judge(effects, metric=metric, alpha=alpha, power=power, margin=margin)


def _mean(effects: Sequence[CrossedMean]) -> CrossedMean:
    """Mean of independent effects."""
    return CrossedMean(
        mean=sum(effect.mean for effect in effects) / len(effects),
        seed_variance=sum(effect.seed_variance for effect in effects) / len(effects) ** 2,
        dialogue_variance=sum(effect.dialogue_variance for effect in effects) / len(effects) ** 2,
        n_seeds=min(effect.n_seeds for effect in effects),
        n_dialogues=min(effect.n_dialogues for effect in effects),
        fold_variance=sum(effect.fold_variance for effect in effects) / len(effects) ** 2,
        n_folds=min((effect.n_folds for effect in effects if effect.n_folds > 1), default=1),
    )
