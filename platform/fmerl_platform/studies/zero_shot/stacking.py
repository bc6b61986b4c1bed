"""Calibrated stacking (Chao et al. 2016): how far seen classes must be lowered for unseen ones to be predicted.

A model that was trained on seen classes alone scores them too high for everything it reads. Taking a constant from all
seen classes' scores before the argmax trades accuracy on seen classes for accuracy on unseen ones; the curve that all
constants give says what the scores hold whatever the constant.

Shapes: N utterances, C classes, K constants.

References:
    Chao, Changpinyo, Gong & Sha (2016). An empirical study and analysis of generalized zero-shot learning for object
    recognition in the wild. ECCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class SeenUnseenCurve:
    """Accuracy on seen and on unseen classes at every constant that makes a difference."""

    constant: NDArray[np.float64]
    """Constants, ascending, one between any two where a prediction changes, [K]."""
    seen_accuracy: NDArray[np.float64]
    """Accuracy on seen classes, which falls, [K]."""
    unseen_accuracy: NDArray[np.float64]
    """Accuracy on unseen classes, which rises, [K]."""

    @property
    def area(self) -> float:
        """AUSUC: area under seen accuracy over unseen accuracy, in [0, 1]; NaN without utterances of both kinds."""
        return float(np.trapezoid(self.seen_accuracy, self.unseen_accuracy))

    @property
    def uninformed_area(self) -> float:
        """AUSUC if how far seen classes lead did not tell unseen utterances from others: one accuracy falls in a
        straight line while the other rises."""
        return float(self.seen_accuracy[0] * self.unseen_accuracy[-1] / 2)

    def best_constant(self) -> float:
        """Constant of the largest harmonic mean of both accuracies; of equals the one nearest 0."""
        both = self.seen_accuracy + self.unseen_accuracy
        harmonic = 2 * self.seen_accuracy * self.unseen_accuracy / np.where(both > 0, both, 1)
        best = self.constant[harmonic == harmonic.max()]
        return float(best[np.abs(best).argmin()])


def seen_unseen_curve(
    scores: NDArray[np.float32], gold: NDArray[np.int64], unseen: NDArray[np.bool_]
) -> SeenUnseenCurve:
    """The curve over all constants.

    Args:
        scores: Scores of each class, [N, C]; minus infinity for a class that is no candidate.
        gold: Class indices, [N].
        unseen: True for unseen classes, [C].
    """
    lead = margin(scores, unseen)
    of_unseen = unseen[gold]
    right_if_seen = ~of_unseen & (_best(scores, ~unseen) == gold)
    right_if_unseen = of_unseen & (_best(scores, unseen) == gold)
    leads, place = np.unique(lead, return_inverse=True)
    between = (leads[1:] + leads[:-1]) / 2
    constant = np.concatenate([[leads[0] - 1], between, [leads[-1] + 1]])
    lost = np.bincount(place[right_if_seen], minlength=len(leads)).cumsum()
    won = np.bincount(place[right_if_unseen], minlength=len(leads)).cumsum()
    with np.errstate(invalid="ignore"):
        return SeenUnseenCurve(
            constant=constant,
            seen_accuracy=(right_if_seen.sum() - np.append(0, lost)) / np.float64((~of_unseen).sum()),
            unseen_accuracy=np.append(0, won) / np.float64(of_unseen.sum()),
        )


def stacked(scores: NDArray[np.float32], unseen: NDArray[np.bool_], constant: float) -> NDArray[np.int64]:
    """Predicted classes when the constant is taken from every seen class's score, [N]."""
    return (scores.astype(np.float64) - constant * ~unseen).argmax(1)


def tuned_constant(
    scores: NDArray[np.float32], gold: NDArray[np.int64], unseen: NDArray[np.bool_], pseudo_unseen: int
) -> float:
    """The constant that is best on validation for a seen class that this cell did not train on.

    Neither utterances of the truly unseen classes nor their scores take part.

    Args:
        scores: Validation scores of a cell that held out `unseen` and `pseudo_unseen`, [N, C].
        gold: Class indices, [N].
        unseen: True for truly unseen classes, [C].
        pseudo_unseen: Index of the seen class that stands in for them.
    """
    known = ~unseen[gold]
    candidates = np.where(unseen, -np.inf, scores[known])
    stand_in = np.arange(len(unseen)) == pseudo_unseen
    return seen_unseen_curve(candidates, gold[known], stand_in).best_constant()


def margin(scores: NDArray[np.float32], unseen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Margin of the best seen class over the best unseen one, [N]: any constant above it gives an unseen class."""
    wide = scores.astype(np.float64)
    return wide[:, ~unseen].max(1) - wide[:, unseen].max(1)


def _best(scores: NDArray[np.float32], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(among, scores, -np.inf).argmax(1)
