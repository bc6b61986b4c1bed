"""Cells that tell no classes apart, and classes that a variant never predicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from fmerl.corpus.inspection import majority_weighted_f1
from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.report.numbers import percent
from fmerl_platform.studies.wording import seed_in_fold

TO_TRY = (
    "Try a larger training.learning_rate or more training.epochs, a smaller contrastive.temperature, "
    "contrastive.center_anchors, or another --preset."
)
"""Advice for a cell that never left one class."""
_ROUNDING = 1e-9


def collapse(cell: CellRecord) -> str | None:
    """Reason why a cell counts as collapsed; None for one that tells classes apart.

    Always saying the most frequent class of a split is what it must beat: on validation in some epoch, and on test. A
    split of one class, as a fold's may be, says nothing.
    """
    test = cell.labelled_test()
    several = _classes(test["gold"]) > 1
    if len(predicted := _predicted(cell)) == 1 and several:
        return f"predicts {predicted[0]} alone"
    validation = cell.predictions.filter((pc.field("split") == "validation") & pc.field("gold").is_valid())
    history = cell.history.get("validation_weighted_f1") if _classes(validation["gold"]) > 1 else None
    if history and max(history) <= (least := _majority_weighted_f1(validation)) + _ROUNDING:
        return f"never beats the majority class on validation ({percent(least)})"
    if several and cell.metrics["test_weighted_f1"] <= (least := _majority_weighted_f1(test)) + _ROUNDING:
        return f"does not beat the majority class on test ({percent(least)})"
    return None


def collapsed_cells(results: CorpusCells, variant: str) -> dict[str, list[str]]:
    """Seeds and folds of a variant's collapsed cells by reason; none of the system that is the majority class by
    design.
    """
    if results.changes.get(variant, {}).get("system.name") == "majority":
        return {}
    found: dict[str, list[str]] = {}
    for cell in sorted((cell for cell in results.cells if cell.variant == variant), key=lambda cell: cell.seed):
        if (reason := collapse(cell)) is not None:
            found.setdefault(reason, []).append(seed_in_fold(cell.seed, cell.fold))
    return found


def never_predicted(results: CorpusCells, variant: str) -> tuple[str, ...]:
    """Classes of the labelled test utterances that no seed of the variant predicts."""
    tests = [cell.labelled_test() for cell in results.of_variant(variant)]
    gold, predicted = (
        {name for test in tests for name in test[column].unique().to_pylist()} for column in ("gold", "predicted")
    )
    return tuple(name for name in results.classes if name in gold - predicted)


def variant_warning(results: CorpusCells, variant: str, to_try: str = TO_TRY) -> str:
    """Warning about one variant; empty without cause."""
    return " ".join(_sentences(results, [variant], to_try))


def collapse_warning(results: CorpusCells, to_try: str = TO_TRY) -> str:
    """Warning about all variants of a corpus; empty without cause."""
    sentences = list(_sentences(results, results.variants, to_try))
    return f"Warning, {results.corpus}: {' '.join(sentences)}" if sentences else ""


def _sentences(results: CorpusCells, variants: Sequence[str], to_try: str) -> Iterator[str]:
    collapsed = {variant: collapsed_cells(results, variant) for variant in variants}
    for variant, reasons in collapsed.items():
        for reason, seeds in reasons.items():
            yield f"{_seeds_of(results, variant, seeds)} {reason}."
    if any(collapsed.values()):
        yield to_try
    groups: dict[tuple[str, ...], list[str]] = {}
    for variant in variants:
        alone = all(len(_predicted(cell)) < 2 for cell in results.of_variant(variant))
        if not alone and (classes := never_predicted(results, variant)):
            groups.setdefault(classes, []).append(variant)
    for classes, names in groups.items():
        whose = "any variant" if len(names) == len(variants) > 1 else ", ".join(names)
        yield f"Never predicted by any seed of {whose}: {', '.join(classes)}."


def _predicted(cell: CellRecord) -> list[str]:
    """Classes that the cell predicts on test."""
    return cell.labelled_test()["predicted"].drop_null().unique().to_pylist()


def _classes(gold: pa.ChunkedArray) -> int:
    """How many classes there are in labels."""
    return pc.count_distinct(gold).as_py()


def _seeds_of(results: CorpusCells, variant: str, seeds: Sequence[str]) -> str:
    if variant in results.seedless:
        return variant
    return f"{variant} (seed{'s' * (len(seeds) != 1)} {', '.join(seeds)})"


def _majority_weighted_f1(rows: pa.Table) -> float:
    """Weighted F1 of always saying the rows' most frequent class."""
    return majority_weighted_f1([entry["counts"] for entry in pc.value_counts(rows["gold"]).to_pylist()])
