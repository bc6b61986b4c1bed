"""Results of a study's finished cells, ready for analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmerl.errors import InputError
from fmerl_platform.study.record import AnchorCosines

if TYPE_CHECKING:
    from fmerl_platform.statistics import CellPredictions


@dataclass(frozen=True)
class CellRecord:
    """Results of one finished cell."""

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
    """`conditions.parquet`: test rows by `condition`: after the first epoch, and with modalities corrupted."""
    fold: str | None = None
    """Fold that it tests; None in a study without folds, and of all folds together."""

    def labelled_test(self, condition: str | None = None) -> pa.Table:
        """Test rows that have a gold class, at the selected epoch or under a condition; others were context only."""
        test = pc.field("split") == "test" if condition is None else pc.field("condition") == condition
        table = self.predictions if condition is None else self.conditions
        return table.filter(test & pc.field("gold").is_valid())


class MissingCell(NamedTuple):
    """A cell without a result."""

    variant: str
    seed: int
    reason: str
    fold: str | None = None


@dataclass(frozen=True)
class CorpusCells:
    """A study's results on one corpus."""

    corpus: str
    classes: tuple[str, ...]
    """Names in label order."""
    control: str
    variants: tuple[str, ...]
    """Variants in table order, the control first."""
    cells: tuple[CellRecord, ...]
    missing: Sequence[MissingCell] = ()
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Fields in which each variant differs from the control, by dotted path."""
    modalities: tuple[str, ...] = ()
    """Modalities that the control reads."""
    anchors: tuple[AnchorCosines, ...] = ()
    repeats: frozenset[str] = frozenset()
    """Ids of test utterances whose very text is in train."""
    seedless: frozenset[str] = frozenset()
    """Variants whose one cell no seed made: it is compared with every seed of the others."""
    folds: tuple[str, ...] = ()
    """Names of the folds, each tested by cells of its own."""
    pooled: tuple[CellRecord, ...] = ()
    """Cells of a study in folds, all folds of a seed in one (`fmerl_platform.ledger.pooling`)."""
    conditions: tuple[str, ...] = ()
    """Names of the conditions that the study's last command asked for."""

    @property
    def tested(self) -> tuple[CellRecord, ...]:
        """Cells that each test the whole test set: of a study in folds, all folds of a seed pooled."""
        return self.pooled if self.folds else self.cells

    @property
    def compares_systems(self) -> bool:
        """True if variants are models other than the control's."""
        return any("system.name" in changed for changed in self.changes.values())

    def of_variant(self, variant: str) -> tuple[CellRecord, ...]:
        """A variant's cells by ascending seed, one per seed: of a study in folds, all folds of the seed pooled."""
        return tuple(sorted((cell for cell in self.tested if cell.variant == variant), key=lambda cell: cell.seed))

    def predictions_of(self, variant: str, condition: str | None = None) -> list[CellPredictions]:
        """The variant's labelled test utterances with classes as indices in label order, by ascending seed.

        Cells that were not tested under the condition are left out.

        Raises:
            InputError: A prediction names a class that the corpus does not have.
        """
        found: list[CellPredictions] = []
        for cell in self.of_variant(variant):
            if condition is None or condition in cell.conditions["condition"].unique().to_pylist():
                found.append(labelled_predictions(cell, self.classes, condition, like=found[0] if found else None))
        return [replace(cell, seed=None) for cell in found] if variant in self.seedless else found


def scores_on_test(cell: CellRecord, classes: tuple[str, ...]) -> dict[str, float]:
    """Weighted F1, accuracy and macro F1 of a cell's labelled test rows, named as a trained cell's metrics."""
    from fmerl_platform.statistics import accuracy, confusion_by_dialogue, macro_f1, weighted_f1

    confusion = confusion_by_dialogue([labelled_predictions(cell, classes)], len(classes)).sum(axis=(0, 1))
    scores = {"weighted_f1": weighted_f1, "accuracy": accuracy, "macro_f1": macro_f1}
    return {f"test_{name}": float(score(confusion)) for name, score in scores.items()}


def labelled_predictions(
    cell: CellRecord, classes: tuple[str, ...], condition: str | None = None, *, like: CellPredictions | None = None
) -> CellPredictions:
    """A cell's labelled test rows with classes as indices, in the ledger's order; `UNANSWERED` without an answer.

    Dialogues that are those of another cell, `like`, are its very array.
    """
    from fmerl_platform.statistics import CellPredictions  # SciPy starts slowly, and a finished study needs none

    rows = cell.labelled_test(condition)
    dialogue = np.asarray(rows["dialogue_id"].to_pylist())
    return CellPredictions(
        seed=cell.seed,
        dialogue=like.dialogue if like and np.array_equal(like.dialogue, dialogue) else dialogue,
        gold=_indices(cell, rows["gold"].to_pylist(), classes),
        predicted=_indices(cell, rows["predicted"].to_pylist(), classes),
        fold=np.asarray(rows["fold"].to_pylist()) if "fold" in rows.column_names else None,
    )


def _indices(cell: CellRecord, names: Iterable[str | None], classes: tuple[str, ...]) -> np.ndarray:
    from fmerl_platform.statistics import UNANSWERED

    index: dict[str | None, int] = {None: UNANSWERED, **{name: position for position, name in enumerate(classes)}}
    try:
        return np.array([index[name] for name in names], dtype=np.int16)
    except KeyError as error:
        raise InputError(
            f"predictions of run {cell.run_id} ({cell.corpus}, {cell.variant}, seed {cell.seed})",
            f"class {error.args[0]!r} is none of {', '.join(classes)}",
            "report each corpus with the classes that it was trained on",
        ) from None
