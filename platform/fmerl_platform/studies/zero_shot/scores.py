"""Scores of zero-shot recognition, from confusion matrices.

Shapes: C classes; a confusion matrix [..., C, C] has gold classes in rows and predicted ones in columns, and may have
one more class for what was not answered. As everywhere in `fmerl_platform.statistics`, a share of nothing is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fmerl_platform.statistics import Score, accuracy, weighted_f1

UNSEEN_ACCURACY = "unseen_accuracy"
"""Score by which a zero-shot study compares rows."""


def zero_shot_scores(unseen: Sequence[int], n_classes: int) -> Mapping[str, Score]:
    """Every score of a study that holds these classes out, by name.

    Args:
        unseen: Indices of the unseen classes.
        n_classes: C.
    """
    held_out = list(unseen)
    seen = [index for index in range(n_classes) if index not in held_out]

    def unseen_accuracy(confusion: np.ndarray) -> np.ndarray:
        return accuracy(_of_gold(confusion, held_out))

    def seen_accuracy(confusion: np.ndarray) -> np.ndarray:
        return accuracy(_of_gold(confusion, seen))

    def harmonic_mean(confusion: np.ndarray) -> np.ndarray:
        one, other = unseen_accuracy(confusion), seen_accuracy(confusion)
        return 2 * one * other / np.where(one + other, one + other, 1)

    def subset_weighted_f1(confusion: np.ndarray) -> np.ndarray:
        return weighted_f1(_of_gold(confusion, held_out))

    def one_vs_rest_f1(confusion: np.ndarray) -> np.ndarray:
        hits, gold = np.einsum("...cc->...c", confusion), confusion.sum(axis=-1)
        either = gold + confusion.sum(axis=-2)
        f1 = 2 * hits / np.where(either, either, 1)
        total = gold[..., held_out].sum(axis=-1)
        return (f1 * gold)[..., held_out].sum(axis=-1) / np.where(total, total, 1)

    def unseen_as_seen(confusion: np.ndarray) -> np.ndarray:
        rows = confusion[..., held_out, :]
        total = rows.sum(axis=(-2, -1))
        return rows[..., seen].sum(axis=(-2, -1)) / np.where(total, total, 1)

    return {
        UNSEEN_ACCURACY: unseen_accuracy,
        "subset_weighted_f1": subset_weighted_f1,
        "one_vs_rest_f1": one_vs_rest_f1,
        "accuracy": accuracy,
        "weighted_f1": weighted_f1,
        "seen_accuracy": seen_accuracy,
        "harmonic_mean": harmonic_mean,
        "unseen_as_seen": unseen_as_seen,
    }


def _of_gold(confusion: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """The utterances of these gold classes alone, in a matrix of the same shape."""
    kept = np.zeros_like(confusion)
    kept[..., classes, :] = confusion[..., classes, :]
    return kept
