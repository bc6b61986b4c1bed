"""Scores of predictions, observed and resampled.

Shapes: U utterances, K cells, G dialogues, C classes, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fmerl.errors import InputError

Metric = Literal["weighted_f1", "accuracy"]
"""Scores of every study."""

Score = Callable[[np.ndarray], np.ndarray]
"""Function from confusion matrices [..., C, C] to numbers in [0, 1], [...]."""

UNANSWERED = -1
"""Predicted class of an utterance that got none: wrong, whichever its gold class is."""

CHUNK_BYTES = 2**26
"""Size of the confusion matrices held at once while resampling."""


@dataclass(frozen=True, kw_only=True)
class CellPredictions:
    """Predictions of one cell (a variant's training with one seed) for the labelled test utterances.

    Every cell of a corpus holds the same utterances in the same order.

    A seed of None marks predictions that no seed made, or that are known from one run alone: they are compared with
    every seed of the other side, and a verdict then holds for these very predictions.

    Raises:
        ValueError: The arrays are empty or differ in length.
    """

    seed: int | None
    dialogue: np.ndarray
    """Dialogue id of each utterance [U]."""
    gold: np.ndarray
    """Class index [U]."""
    predicted: np.ndarray
    """Class index, or `UNANSWERED` [U]."""
    fold: np.ndarray | None = None
    """Fold that tested each utterance [U]; None in a study without folds."""

    def __post_init__(self) -> None:
        if not self.dialogue.shape == self.gold.shape == self.predicted.shape or self.gold.ndim != 1:
            raise ValueError(f"seed {self.seed}: dialogue, gold and predicted must be vectors of one length")
        if not len(self.gold):
            raise ValueError(f"seed {self.seed}: no labelled test utterances")


def confusion_by_dialogue(cells: Sequence[CellPredictions], n_classes: int) -> np.ndarray:
    """Count gold (rows) against predicted (columns) classes, per cell and dialogue.

    Returns:
        Counts [K, G, C, C], dialogues by first appearance. If some cell left an utterance unanswered, one more class
        comes last that is never gold, [K, G, C + 1, C + 1]: what is predicted so is no hit and no false alarm.

    Raises:
        ValueError: No cells, or a class index outside [0, C).
        InputError: Two cells were not tested on the same utterances.
    """
    return _confusion(cells, n_classes, [cell.dialogue for cell in cells])


def confusion_by_fold(cells: Sequence[CellPredictions], n_classes: int) -> np.ndarray | None:
    """The same counts per cell and fold, [K, F, C, C]; None unless all cells are of several folds."""
    folds = [cell.fold for cell in cells if cell.fold is not None]
    if len(folds) < len(cells) or len(np.unique(folds[0])) < 2:
        return None
    return _confusion(cells, n_classes, folds)


def _confusion(cells: Sequence[CellPredictions], n_classes: int, units: Sequence[np.ndarray]) -> np.ndarray:
    """Counts by the units, one array of names [U] per cell, in order of first appearance."""
    if not cells:
        raise ValueError("no cells to count")
    first = cells[0]
    _, first_rows, sorted_index = np.unique(units[0], return_index=True, return_inverse=True)
    unit = np.argsort(np.argsort(first_rows))[sorted_index]
    width = n_classes + any((cell.predicted == UNANSWERED).any() for cell in cells)
    counts = np.zeros((len(cells), len(first_rows), width, width))
    for cell_counts, cell, of_cell in zip(counts, cells, units, strict=True):
        same = np.array_equal(cell.dialogue, first.dialogue) and np.array_equal(cell.gold, first.gold)
        if not (same and np.array_equal(units[0], of_cell)):
            raise InputError(
                f"predictions of seed {cell.seed}",
                "the test utterances or their labels differ from those of the study's first cell",
                "compare cells of one corpus, and retrain those that saw an older version of it",
            )
        for name, classes, least in (("gold", cell.gold, 0), ("predicted", cell.predicted, UNANSWERED)):
            if classes.min() < least or classes.max() >= n_classes:
                raise ValueError(f"seed {cell.seed}: {name} must be in [{least}, {n_classes})")
        predicted = np.where(cell.predicted == UNANSWERED, n_classes, cell.predicted)
        np.add.at(cell_counts, (unit, cell.gold, predicted), 1)
    return counts


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean of the classes' F1 weighted by gold counts; an undefined F1 is 0. [..., C, C] -> [...]."""
    gold = confusion.sum(axis=-1)
    total = gold.sum(axis=-1)
    return (class_f1(confusion) * gold).sum(axis=-1) / np.where(total, total, 1)


def class_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class, 0 where it is undefined. [..., C, C] -> [..., C]."""
    gold_and_predicted = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return 2 * np.einsum("...cc->...c", confusion) / np.where(gold_and_predicted, gold_and_predicted, 1)


def class_recall(confusion: np.ndarray) -> np.ndarray:
    """Share of each class's utterances that are predicted as it, 0 where it has none. [..., C, C] -> [..., C]."""
    gold = confusion.sum(axis=-1)
    return np.einsum("...cc->...c", confusion) / np.where(gold, gold, 1)


def class_precision(confusion: np.ndarray) -> np.ndarray:
    """Share of the utterances predicted as a class that are of it, 0 where there are none. [..., C, C] -> [..., C]."""
    return class_recall(confusion.swapaxes(-1, -2))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that are gold. [..., C, C] -> [...]."""
    return _over_gold_classes(class_f1(confusion), confusion)


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that are gold, or unweighted average recall (UAR). [..., C, C] -> [...]."""
    return _over_gold_classes(class_recall(confusion), confusion)


def _over_gold_classes(values: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    gold = confusion.sum(axis=-1) > 0
    return (values * gold).sum(axis=-1) / np.maximum(gold.sum(axis=-1), 1)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of utterances on the diagonal. [..., C, C] -> [...]."""
    total = confusion.sum(axis=(-2, -1))
    return np.einsum("...cc->...", confusion) / np.where(total, total, 1)


SCORES: Mapping[str, Score] = {"weighted_f1": weighted_f1, "accuracy": accuracy}


def resampled_scores(
    counts: np.ndarray, resamples: int, seed: int, scores: Mapping[str, Score] = SCORES
) -> dict[str, np.ndarray]:
    """Score every cell on the same resampled test sets.

    A resample is G - 1 dialogues drawn with replacement from G, as multinomial weights.

    Args:
        counts: From `confusion_by_dialogue` [K, G, C, C].
        resamples: R.
        seed: Seed of the draws.
        scores: Scores by name.

    Returns:
        Scores [R, K] by name.
    """
    n_cells, n_dialogues, n_classes, _ = counts.shape
    rng = np.random.default_rng(seed)
    by_dialogue = counts.transpose(1, 0, 2, 3).reshape(n_dialogues, -1)
    found = {name: np.empty((resamples, n_cells)) for name in scores}
    chunk = max(1, CHUNK_BYTES // (8 * by_dialogue.shape[1]))
    for start in range(0, resamples, chunk):
        rows = slice(start, min(start + chunk, resamples))
        weights = rng.multinomial(n_dialogues - 1, np.full(n_dialogues, 1 / n_dialogues), rows.stop - start)
        confusion = (weights.astype(float) @ by_dialogue).reshape(-1, n_cells, n_classes, n_classes)
        for name, score in scores.items():
            found[name][rows] = score(confusion)
    return found
