"""Rows of an ablation table from finished cells. Scores are in [0, 1] here; percent is a matter of print."""

from __future__ import annotations

import math
import statistics as moments
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.report.numbers import deviation
from fmerl_platform.statistics import (
    CellPredictions,
    Comparison,
    Estimate,
    balanced_accuracy,
    class_f1,
    compare,
    confusion_by_dialogue,
    estimate,
)
from fmerl_platform.studies.ablation.ranking import Ranking, rank_systems
from fmerl_platform.studies.ablation.robustness import ConditionRow, condition_rows
from fmerl_platform.studies.paper_results import PublishedScore, published_score


@dataclass(frozen=True)
class VariantRow:
    """Row of the table for one variant."""

    variant: str
    weighted_f1: Estimate
    accuracy_mean: float
    accuracy_sd: float
    """Deviation between seeds, ddof = 1; NaN for one seed."""
    macro_f1: float
    """Mean over seeds."""
    oracle_weighted_f1: float
    """Mean over seeds of each seed's best test epoch: not a result, only a measure of what peeking would gain. NaN for
    predictions that no training of ours made."""
    comparison: Comparison | None
    """Comparison with the control; None for the control."""
    peek_gap_sd: float = math.nan
    """Deviation of the peek gap between seeds, ddof = 1; NaN for one seed."""
    balanced_accuracy: float = math.nan
    """Unweighted average recall (UAR), mean over seeds."""
    class_f1: Mapping[str, float] = field(default_factory=dict)
    """F1 by class, means over seeds."""
    seed_deltas: tuple[float, ...] = ()
    """Weighted F1 minus the control's, of each seed that both have."""
    published: PublishedScore | None = None
    published_delta: float | None = None
    """The paper's weighted F1 minus its control's, in points."""

    @property
    def peek_gap(self) -> float:
        """Gain of weighted F1 if the epoch were picked on the test set."""
        return self.oracle_weighted_f1 - self.weighted_f1.mean


@dataclass(frozen=True)
class CorpusAnalysis:
    """One corpus's results with the rows made of them; variants without a finished cell have none."""

    results: CorpusCells
    rows: tuple[VariantRow, ...]
    ranking: Ranking | None = None
    """All pairs of systems; None where variants are changes of one system, or fewer than three systems finished."""

    conditions: tuple[ConditionRow, ...] = ()
    """Scores under the conditions that the study asked for."""

    @property
    def margin(self) -> float | None:
        """Margin of equivalence, in [0, 1]; None unless one was stated."""
        found = (row.comparison.equivalence for row in self.rows if row.comparison)
        return next((each.margin for each in found if each), None)

    @property
    def compared(self) -> tuple[tuple[VariantRow, Comparison], ...]:
        """Rows that share at least one seed with the control, with their comparisons."""
        pairs = ((row, row.comparison) for row in self.rows)
        return tuple((row, comparison) for row, comparison in pairs if comparison and comparison.n_pairs)


def analyse(results: CorpusCells, *, margin: float | None = None, resamples: int = 10_000) -> CorpusAnalysis:
    """Make the table's rows: estimates, comparisons with the control, and the paper's numbers where it has any.

    Args:
        results: Finished cells of one corpus.
        margin: Largest difference of weighted F1, in [0, 1], that counts as none.
        resamples: Bootstrap resamples behind intervals and p-values.

    Raises:
        InputError: A prediction names a class that the corpus does not have, or cells were tested on different
            utterances.
    """
    cells = {variant: results.of_variant(variant) for variant in results.variants}
    finished = [variant for variant in results.variants if cells[variant]]
    if not finished:
        return CorpusAnalysis(results, ())
    predictions = {variant: results.predictions_of(variant) for variant in finished}
    others = {variant: predictions[variant] for variant in finished if variant != results.control}
    n_classes = len(results.classes)
    control = predictions.get(results.control, [])
    compared = compare(control, others, n_classes, resamples=resamples, margin=margin) if others else {}
    ranked = results.compares_systems and len(finished) > 2
    return CorpusAnalysis(
        results,
        tuple(
            _row(
                results,
                cells[variant],
                predictions[variant],
                estimate(predictions[variant], n_classes, resamples=resamples),
                compared.get(variant),
            )
            for variant in finished
        ),
        rank_systems(predictions, n_classes, resamples=resamples, margin=margin) if ranked else None,
        tuple(condition_rows(results)),
    )


def _row(
    results: CorpusCells,
    cells: tuple[CellRecord, ...],
    predictions: Sequence[CellPredictions],
    weighted_f1: Estimate,
    comparison: Comparison | None,
) -> VariantRow:
    variant = cells[0].variant
    accuracy = [cell.metrics["test_accuracy"] for cell in cells]
    oracle = [cell.metrics.get("test_oracle_weighted_f1", math.nan) for cell in cells]
    gaps = [best - cell.metrics["test_weighted_f1"] for best, cell in zip(oracle, cells, strict=True)]
    confusion = confusion_by_dialogue(predictions, len(results.classes)).sum(axis=1)
    by_class = class_f1(confusion).mean(axis=0)[: len(results.classes)]
    # The paper tests on the corpora's own splits.
    published, published_control = (
        None if results.folds else published_score(results.corpus, name) for name in (variant, results.control)
    )
    return VariantRow(
        variant=variant,
        weighted_f1=weighted_f1,
        accuracy_mean=moments.fmean(accuracy),
        accuracy_sd=deviation(accuracy),
        macro_f1=moments.fmean(cell.metrics["test_macro_f1"] for cell in cells),
        oracle_weighted_f1=moments.fmean(oracle),
        comparison=comparison,
        peek_gap_sd=deviation(gaps),
        balanced_accuracy=float(balanced_accuracy(confusion).mean()),
        class_f1=dict(zip(results.classes, by_class.tolist(), strict=True)),
        seed_deltas=_seed_deltas(results, cells) if comparison else (),
        published=published,
        published_delta=(
            published.weighted_f1 - published_control.weighted_f1
            if comparison and published and published_control
            else None
        ),
    )


def _seed_deltas(results: CorpusCells, cells: Sequence[CellRecord]) -> tuple[float, ...]:
    """Weighted F1 minus the control's, of each pair that is compared."""
    control = {cell.seed: cell.metrics["test_weighted_f1"] for cell in results.of_variant(results.control)}
    own = {cell.seed: cell.metrics["test_weighted_f1"] for cell in cells}
    if results.control in results.seedless:
        control = dict.fromkeys(own, *control.values())
    elif cells[0].variant in results.seedless:
        own = dict.fromkeys(control, *own.values())
    return tuple(own[seed] - control[seed] for seed in own if seed in control)
