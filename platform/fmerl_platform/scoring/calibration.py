"""Calibration: are predictions that claim a probability of .8 right eight times in ten?

U utterances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Number of bins, as Guo et al. (2017) use."""


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions of about the same confidence."""

    confidence: float
    """Mean probability of the predicted class."""
    accuracy: float
    n: int


def calibration_bins(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS
) -> list[CalibrationBin]:
    """Group predictions by confidence in bins of equal width, the upper edge inclusive; empty bins are left out.

    Args:
        confidence: Probability of the predicted class, [U].
        right: Whether the prediction is right, [U].
        bins: Number of bins over [0, 1].
    """
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        CalibrationBin(float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum()))
        for number in range(bins)
        if (inside := index == number).any()
    ]


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean distance of accuracy from confidence over the bins, weighted by their size (Naeini et al. 2015)."""
    found = calibration_bins(confidence, right, bins)
    return sum(each.n * abs(each.accuracy - each.confidence) for each in found) / len(right)
