"""Scores and effects on parts of the test set, and the contribution of each modality.

Both tables explore: their intervals are not corrected for multiple comparisons, so they suggest and do not decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmerl.conditions.condition import mask_of
from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.numbers import NONE, interval, percent, signed
from fmerl_platform.report.table import Table, columns
from fmerl_platform.statistics import (
    CellPredictions,
    Comparison,
    CrossedMean,
    Metric,
    accuracy,
    compare,
    confusion_by_dialogue,
    paired_with,
    weighted_f1,
)

_SCORES = {"weighted_f1": weighted_f1, "accuracy": accuracy}
_RESAMPLES = 1000
"""Resamples per stratum: enough for an interval that decides nothing."""
_LEVEL = 0.05
_TURNS = (1, 2, 4, 8, 16)
_LENGTHS = (1, 6, 11, 21, 41)
"""First turn number or length of each bin."""
_SPEAKERS = (1, 2, 3)
_REPEATS_NOTE = (
    "Text in train: the utterance's text, letter by letter, is that of a train utterance, whichever its label."
)


def strata_table(results: CorpusCells) -> Table | None:
    """A row per stratum: the control's score and every variant's Δ; None without a cell of the control."""
    cells = results.predictions_of(results.control)
    if not cells:
        return None
    variants = {
        name: found for name in results.variants if name != results.control and (found := results.predictions_of(name))
    }
    rows = []
    for label, chosen, metric in _strata(results):
        control, others = _only(cells, chosen), {name: _only(found, chosen) for name, found in variants.items()}
        effects = [
            paired.effect(metric, paired.pairs(group, 0))
            for _, paired, group in paired_with(
                control, others, len(results.classes), {metric: _SCORES[metric]}, resamples=_RESAMPLES, seed=0
            )
        ]
        scores = _SCORES[metric](confusion_by_dialogue(control, len(results.classes)).sum(axis=1))
        rows.append((label, str(chosen.sum()), percent(scores.mean()), *map(_marked, effects)))
    return Table(
        name=f"{results.corpus} strata",
        caption=f"Parts of {results.corpus}'s test set",
        columns=columns("Utterances", "n", results.control, *(f"Δ {name}" for name in variants)),
        rows=tuple(rows),
        notes=(
            f"{results.control}: weighted F1 in percent, of a class its recall. Δ: points against it, paired by seed; "
            "* where the 95% interval of this Δ alone leaves out zero. About one in twenty does so by chance: these "
            "rows suggest where to look and decide nothing.",
            "Emotion shift: the label is not that of the same speaker's last labelled utterance in the dialogue. "
            "Speaker: by order of first appearance in the dialogue.",
            *([_REPEATS_NOTE] if results.repeats else []),
        ),
    )


def modality_table(results: CorpusCells) -> Table | None:
    """Worth of each modality of the control, two ways; None when it has one alone."""
    masked = {
        modality: cells
        for modality in results.modalities
        if (cells := results.predictions_of(results.control, mask_of(modality).name))
    }
    if not masked:
        return None
    control = results.predictions_of(results.control)
    without = {
        modality: results.predictions_of(variant)
        for modality in masked
        if (variant := _retrained_without(results, modality)) is not None
    }
    n_classes = len(results.classes)
    at_inference = compare(control, masked, n_classes)
    retrained = compare(control, without, n_classes) if without else {}
    return Table(
        name=f"{results.corpus} modalities",
        caption=f"What each modality is worth on {results.corpus}",
        columns=columns("Without", "Masked at inference, Δ", "95% interval", "Retrained without, Δ", "95% interval"),
        rows=tuple(
            (modality, *_effect(at_inference[modality]), *_effect(retrained.get(modality))) for modality in masked
        ),
        notes=(
            f"Points of weighted F1 against {results.control}. Masked: the trained model reads the modality as "
            "missing, so it also shows what the model was never trained to bear. Retrained: a variant that never had "
            "it; --axis modalities runs them.",
        ),
    )


def _strata(results: CorpusCells) -> Iterator[tuple[str, NDArray[np.bool_], Metric]]:
    """Name, members among the labelled test utterances and metric of every stratum that has any."""
    predictions = results.of_variant(results.control)[0].predictions
    table = predictions.filter(pa.compute.field("split") == "test")
    gold = np.array(table["gold"].to_pylist(), dtype=object)
    dialogue = np.array(table["dialogue_id"].to_pylist())
    speaker = np.array(table["speaker"].to_pylist())
    labelled = table["gold"].is_valid().to_numpy()
    shift, turn, order = _walk(gold, dialogue, speaker)
    _, index, lengths = np.unique(dialogue, return_inverse=True, return_counts=True)
    members: list[tuple[str, NDArray[np.bool_], Metric]] = [
        *((f"class: {name}", gold == name, "accuracy") for name in results.classes),
        *((f"emotion shift: {name}", shift == name, "weighted_f1") for name in ("yes", "no", "first of the speaker")),
        *_bins("turn", turn, _TURNS),
        *_bins("dialogue length", lengths[index], _LENGTHS),
        *_bins("speaker", order, _SPEAKERS),
        *_repeats(results, table),
    ]
    for name, chosen, metric in members:
        if chosen[labelled].any():
            yield name, chosen[labelled], metric


def _walk(
    gold: NDArray[np.object_], dialogue: NDArray[np.str_], speaker: NDArray[np.str_]
) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]:
    """Emotion shift, turn from 1 and speaker from 1 of each utterance; rows stand in turn order."""
    shift, turn, order = [], [], []
    here: str | None = None
    last: dict[str, str] = {}
    cast: dict[str, int] = {}
    count = 0
    for label, place, name in zip(gold, dialogue, speaker, strict=True):
        if place != here:
            here, last, cast, count = place, {}, {}, 0
        count += 1
        turn.append(count)
        order.append(cast.setdefault(name, len(cast) + 1))
        shift.append("first of the speaker" if name not in last else "no" if last[name] == label else "yes")
        if label is not None:
            last[name] = label
    return np.array(shift), np.array(turn), np.array(order)


def _bins(
    kind: str, values: NDArray[np.int64], starts: Sequence[int]
) -> Iterator[tuple[str, NDArray[np.bool_], Metric]]:
    for start, end in zip(starts, [*starts[1:], math.inf], strict=True):
        last = end - 1
        name = f"{start}" if last == start else f"{start} and later" if end == math.inf else f"{start} to {last}"
        yield f"{kind}: {name}", (values >= start) & (values < end), "weighted_f1"


def _repeats(results: CorpusCells, test: pa.Table) -> Iterator[tuple[str, NDArray[np.bool_], Metric]]:
    """With and without test rows whose text repeats in train; none where no text does."""
    if results.repeats:
        inside = np.isin(np.array(test["utterance_id"].to_pylist()), sorted(results.repeats))
        yield "text in train: yes", inside, "weighted_f1"
        yield "text in train: no", ~inside, "weighted_f1"


def _only(cells: Sequence[CellPredictions], chosen: NDArray[np.bool_]) -> list[CellPredictions]:
    return [
        replace(
            cell,
            dialogue=cell.dialogue[chosen],
            gold=cell.gold[chosen],
            predicted=cell.predicted[chosen],
            fold=None if cell.fold is None else cell.fold[chosen],
        )
        for cell in cells
    ]


def _retrained_without(results: CorpusCells, modality: str) -> str | None:
    """The variant that differs from the control in nothing but this modality."""
    kept = [name for name in results.modalities if name != modality]
    for variant, changes in results.changes.items():
        if dict(changes) == {"backbone.modalities": kept} and results.of_variant(variant):
            return variant
    return None


def _effect(comparison: Comparison | None) -> tuple[str, str]:
    if comparison is None or not comparison.n_pairs:
        return NONE, NONE
    return signed(100 * comparison.delta), interval(comparison.ci_low, comparison.ci_high)


def _marked(effect: CrossedMean) -> str:
    low, high = effect.interval(_LEVEL)
    return signed(100 * effect.mean) + "*" * (low > 0 or high < 0)
