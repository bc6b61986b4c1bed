"""From finished cells to the rows of an ablation table. Scores are in [0, 1] here; percent is a matter of print."""

from __future__ import annotations

import math
import statistics as moments
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmerl.errors import InputError
from fmerl_platform.statistics import UNANSWERED, CellPredictions, Comparison, Estimate, compare, estimate
from fmerl_platform.studies.paper_results import PublishedScore, published_score


@dataclass(frozen=True)
class CellRecord:
    """One finished cell as its run left it."""

    corpus: str
    variant: str
    seed: int
    fingerprint: str
    run_id: str
    metrics: dict[str, float]
    """The run's final metrics by name."""
    history: dict[str, list[float]]
    """Per-epoch metrics by name, from epoch 1."""
    predictions: pa.Table
    """`predictions.parquet`: validation and test rows at the selected epoch."""
    conditions: pa.Table
    """`conditions.parquet`: test rows, told by `condition`, after the first epoch and with masked modalities."""

    def labelled_test(self, condition: str | None = None) -> pa.Table:
        """Test rows that have a gold class, at the selected epoch or under a condition; others were context only."""
        test = pc.field("split") == "test" if condition is None else pc.field("condition") == condition
        table = self.predictions if condition is None else self.conditions
        return table.filter(test & pc.field("gold").is_valid())


@dataclass(frozen=True)
class AnchorCosines:
    """How alike the emotion descriptions of some variants are to their encoder."""

    variants: tuple[str, ...]
    cosines: tuple[tuple[float, ...], ...]
    """Of every pair of classes in label order, [C, C]."""


@dataclass(frozen=True)
class CorpusResults:
    """All that a study has of one corpus."""

    corpus: str
    classes: tuple[str, ...]
    """In label order."""
    control: str
    variants: tuple[str, ...]
    """In table order, the control first."""
    cells: tuple[CellRecord, ...]
    missing: Sequence[tuple[str, int, str]] = ()
    """Cells without a result: variant, seed, reason."""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Configuration fields that a variant changes of the control, by dotted path."""
    modalities: tuple[str, ...] = ()
    """That the control reads."""
    anchors: tuple[AnchorCosines, ...] = ()

    @property
    def compares_systems(self) -> bool:
        """Whether variants are other models than the control's."""
        return any("system.name" in changed for changed in self.changes.values())

    def of_variant(self, variant: str) -> tuple[CellRecord, ...]:
        """A variant's cells by ascending seed."""
        return tuple(sorted((cell for cell in self.cells if cell.variant == variant), key=lambda cell: cell.seed))

    def predictions_of(self, variant: str, condition: str | None = None) -> list[CellPredictions]:
        """The variant's labelled test utterances with classes as indices in label order, by ascending seed.

        Cells that were not tested under the condition are left out.

        Raises:
            InputError: A prediction names a class that the corpus does not have.
        """
        return [
            labelled_predictions(cell, self.classes, condition)
            for cell in self.of_variant(variant)
            if condition is None or condition in cell.conditions["condition"].unique().to_pylist()
        ]


@dataclass(frozen=True)
class VariantRow:
    """What the table says of one variant."""

    variant: str
    weighted_f1: Estimate
    accuracy_mean: float
    accuracy_sd: float
    """Between seeds, ddof = 1; NaN for one seed."""
    macro_f1: float
    """Mean over seeds."""
    oracle_weighted_f1: float
    """Mean over seeds of each seed's best test epoch: not a result, only a measure of what peeking would gain."""
    comparison: Comparison | None
    """None for the control."""
    seed_deltas: tuple[float, ...] = ()
    """Weighted F1 minus the control's, of each seed that both have."""
    published: PublishedScore | None = None
    published_delta: float | None = None
    """The paper's weighted F1 minus its control's, in points."""

    @property
    def peek_gap(self) -> float:
        """What weighted F1 would gain if the epoch were picked on the test set."""
        return self.oracle_weighted_f1 - self.weighted_f1.mean


@dataclass(frozen=True)
class CorpusAnalysis:
    """One corpus's results with the rows made of them; variants without a finished cell have none."""

    results: CorpusResults
    rows: tuple[VariantRow, ...]

    @property
    def compared(self) -> tuple[tuple[VariantRow, Comparison], ...]:
        """Rows that share at least one seed with the control, with their comparisons."""
        pairs = ((row, row.comparison) for row in self.rows)
        return tuple((row, comparison) for row, comparison in pairs if comparison and comparison.n_pairs)


@dataclass(frozen=True)
class StudyReport:
    """Everything that a report is written from."""

    study: str
    analyses: tuple[CorpusAnalysis, ...]
    provenance: dict[str, str]
    """What made the results, by name: code digest, packages, data, command."""


def analyse(results: CorpusResults, *, resamples: int = 10_000) -> CorpusAnalysis:
    """Make the table's rows: estimates, comparisons with the control, and the paper's numbers where it has any.

    Args:
        results: Finished cells of one corpus.
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
    compared = compare(predictions.get(results.control, []), others, n_classes, resamples=resamples) if others else {}
    return CorpusAnalysis(
        results,
        tuple(
            _row(
                results,
                cells[variant],
                estimate(predictions[variant], n_classes, resamples=resamples),
                compared.get(variant),
            )
            for variant in finished
        ),
    )


def _row(
    results: CorpusResults, cells: tuple[CellRecord, ...], weighted_f1: Estimate, comparison: Comparison | None
) -> VariantRow:
    variant = cells[0].variant
    accuracy = [cell.metrics["test_accuracy"] for cell in cells]
    control = {cell.seed: cell.metrics["test_weighted_f1"] for cell in results.of_variant(results.control)}
    published = published_score(results.corpus, variant)
    published_control = published_score(results.corpus, results.control)
    return VariantRow(
        variant=variant,
        weighted_f1=weighted_f1,
        accuracy_mean=moments.fmean(accuracy),
        accuracy_sd=moments.stdev(accuracy) if len(accuracy) > 1 else math.nan,
        macro_f1=moments.fmean(cell.metrics["test_macro_f1"] for cell in cells),
        oracle_weighted_f1=moments.fmean(cell.metrics["test_oracle_weighted_f1"] for cell in cells),
        comparison=comparison,
        seed_deltas=tuple(
            cell.metrics["test_weighted_f1"] - control[cell.seed]
            for cell in cells
            if comparison and cell.seed in control
        ),
        published=published,
        published_delta=(
            published.weighted_f1 - published_control.weighted_f1
            if comparison and published and published_control
            else None
        ),
    )


def labelled_predictions(cell: CellRecord, classes: tuple[str, ...], condition: str | None = None) -> CellPredictions:
    """A cell's labelled test rows with classes as indices, in the ledger's order; no answer is `UNANSWERED`."""
    rows = cell.labelled_test(condition)
    return CellPredictions(
        seed=cell.seed,
        dialogue=np.asarray(rows["dialogue_id"].to_pylist()),
        gold=_indices(cell, rows["gold"].to_pylist(), classes),
        predicted=_indices(cell, rows["predicted"].to_pylist(), classes),
    )


def _indices(cell: CellRecord, names: Iterable[str | None], classes: tuple[str, ...]) -> np.ndarray:
    index: dict[str | None, int] = {None: UNANSWERED, **{name: position for position, name in enumerate(classes)}}
    try:
        return np.array([index[name] for name in names], dtype=np.int64)
    except KeyError as error:
        raise InputError(
            f"predictions of run {cell.run_id} ({cell.corpus}, {cell.variant}, seed {cell.seed})",
            f"class {error.args[0]!r} is none of {', '.join(classes)}",
            "report each corpus with the classes that it was trained on",
        ) from None
