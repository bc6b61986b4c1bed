"""Predictions of every corpus's models for every corpus's test split, and what they score.

Shapes: U test utterances, C classes of the trained corpus, M classes that meet.
"""

from __future__ import annotations

import statistics as moments
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from fmerl.bundle.model import Bundle, JointPredictions
from fmerl.config import DIMENSIONS
from fmerl.supervision.agreement import concordance, correlation, rescaled
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import deterministic
from fmerl_platform.across.request import AcrossPlan, ClassNames
from fmerl_platform.statistics import (
    SCORES,
    CellPredictions,
    Comparison,
    Estimate,
    PairedEffect,
    PairedScores,
    estimate,
    judge,
)

_RESAMPLES = 2000
"""Resampled test sets of each pair; the variance behind an interval is then known to about 3 %."""

Bundles = Mapping[str, Mapping[int, Bundle]]
"""Model of each seed, by the corpus that it was trained on."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One corpus's models tested on another corpus, or on its own. Scores are in [0, 1]."""

    train: str
    test: str
    classes: tuple[str, ...]
    """Compared classes that meet; fewer than two leave valence, arousal and dominance alone."""
    utterances: int
    """Test utterances of these classes."""
    n_seeds: int
    weighted_f1: Estimate | None = None
    """Over these utterances and classes; None where classes do not meet."""
    chance: Comparison | None = None
    """Against always saying their most frequent class; None also on the diagonal."""
    within: Comparison | None = None
    """Against the tested corpus's own models on the same utterances and classes; None also on the diagonal."""
    ccc: Mapping[str, float] = field(default_factory=dict)
    """Lin's concordance by dimension, predictions moved to the tested corpus's range ends to ends; mean over seeds."""
    pearson: Mapping[str, float] = field(default_factory=dict)
    """Pearson's correlation likewise, which no linear map of the scale changes."""


def transfers(plan: AcrossPlan, bundles: Bundles) -> list[Pair]:
    """Every pair of corpora, by row of the matrix; comparisons are corrected over all pairs of different corpora."""
    found: dict[tuple[str, str], Pair] = {}
    chance: dict[tuple[str, str], PairedEffect] = {}
    within: dict[tuple[str, str], PairedEffect] = {}
    for test in plan.corpora:
        data = plan.inputs(test).data.subset("test")
        predicted = {train: _predict(bundles[train], data, plan) for train in plan.corpora}
        for train in plan.corpora:
            key = train, test
            meeting = _meeting(plan, train, test, data)
            found[key] = pair = Pair(
                train=train,
                test=test,
                classes=meeting.classes,
                utterances=len(meeting.rows),
                n_seeds=len(predicted[train]),
                **_agreements(data, predicted[train], bundles[train]),
            )
            if len(np.unique(meeting.gold)) < 2 or not predicted[train]:
                continue
            own, reference = (
                _cells(predicted[name], plan.names[name], bundles[name], meeting) for name in (train, test)
            )
            found[key] = replace(pair, weighted_f1=estimate(own, len(meeting.classes), resamples=_RESAMPLES))
            if train != test:
                groups = [own, [_majority(meeting)], reference]
                paired = PairedScores(groups, len(meeting.classes), SCORES, resamples=_RESAMPLES, seed=0)
                chance[key] = PairedEffect.of(paired, 0, 1)
                if reference:
                    within[key] = PairedEffect.of(paired, 0, 2)
    above, below = (judge(effects) if effects else {} for effects in (chance, within))
    ordered = [found[train, test] for train in plan.corpora for test in plan.corpora]
    return [
        replace(pair, chance=above.get((pair.train, pair.test)), within=below.get((pair.train, pair.test)))
        for pair in ordered
    ]


def _predict(models: Mapping[int, Bundle], data: ConversationData, plan: AcrossPlan) -> dict[int, JointPredictions]:
    threads = plan.plan.inputs[0].control.training.threads
    with deterministic(threads):
        return {seed: bundle.predict(data) for seed, bundle in models.items()}


class _Meeting(NamedTuple):
    """What of a test split two corpora can be compared on."""

    classes: tuple[str, ...]
    """M classes that meet."""
    rows: NDArray[np.int64]
    """Test rows that are of one of them."""
    gold: NDArray[np.int64]
    """Its index, of each such row."""
    dialogue: NDArray[np.str_]
    """Dialogue of each such row."""


def _meeting(plan: AcrossPlan, train: str, test: str, data: ConversationData) -> _Meeting:
    classes = plan.meeting(train, test)
    index = {old: classes.index(new) for old, new in plan.names[test].items() if new in classes}
    # The last entry is for rows without a label, which is -1.
    of_label = np.array([*(index.get(name, -1) for name in data.classes), -1], dtype=np.int64)
    gold = of_label[data.label]
    rows = np.flatnonzero(gold >= 0)
    return _Meeting(classes, rows, gold[rows], data.dialogue_id[rows])


def _cells(
    predicted: Mapping[int, JointPredictions], names: ClassNames, bundles: Mapping[int, Bundle], meeting: _Meeting
) -> list[CellPredictions]:
    """Each seed's predictions among the classes that meet: of the model's classes that are compared as one of them, the
    one with the highest score."""
    cells = []
    for seed, found in predicted.items():
        own = bundles[seed].classes
        allowed = np.array([column for column, name in enumerate(own) if names.get(name) in meeting.classes])
        index = np.array([meeting.classes.index(names[own[column]]) for column in allowed])
        likeliest = found.scores[0][meeting.rows][:, allowed].argmax(axis=1)
        cells.append(
            CellPredictions(seed=seed, dialogue=meeting.dialogue, gold=meeting.gold, predicted=index[likeliest])
        )
    return cells


def _majority(meeting: _Meeting) -> CellPredictions:
    """The most frequent class, always."""
    most = np.full(len(meeting.gold), np.bincount(meeting.gold).argmax())
    return CellPredictions(seed=None, dialogue=meeting.dialogue, gold=meeting.gold, predicted=most)


class _Agreements(TypedDict):
    ccc: dict[str, float]
    pearson: dict[str, float]


def _agreements(
    data: ConversationData, predicted: Mapping[int, JointPredictions], bundles: Mapping[int, Bundle]
) -> _Agreements:
    """Concordance and correlation with the tested corpus's scores, by dimension; none where there are no scores."""
    found: _Agreements = {"ccc": {}, "pearson": {}}
    for column, dimension in enumerate(DIMENSIONS):
        values: list[tuple[float, float]] = []
        for seed, each in predicted.items():
            moved = rescaled(each.vad[:, column], bundles[seed].manifest.vad_range, data.vad_range)
            known = np.isfinite(data.vad[:, column]) & np.isfinite(moved)
            if known.any():
                scores = data.vad[known, column], moved[known]
                values.append((concordance(*scores), correlation(*scores)))
        if values:
            found["ccc"][dimension], found["pearson"][dimension] = map(moments.fmean, zip(*values, strict=True))
    return found


def complete_seeds(bundles: Bundles, seeds: Sequence[int]) -> list[str]:
    """A line per corpus whose models are not those of all seeds."""
    return [
        f"{corpus}: no model of seed{'s' * (len(lacking) > 1)} {', '.join(map(str, lacking))}"
        for corpus, models in bundles.items()
        if (lacking := [seed for seed in seeds if seed not in models])
    ]
