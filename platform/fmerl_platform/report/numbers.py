"""Printed forms of scores and differences, and the deviation that is printed beside a mean."""

from __future__ import annotations

import math
import statistics as moments
from collections.abc import Sequence

NONE = "–"
"""Text where there is no number."""


def percent(score: float) -> str:
    """A score in [0, 1] as the field prints it: `66.78`."""
    return NONE if math.isnan(score) else f"{100 * score:.2f}"


def mean_sd(mean: float, sd: float) -> str:
    """`66.78 ± 0.31`; the mean alone when one seed leaves no deviation."""
    return percent(mean) if math.isnan(sd) else f"{percent(mean)} ± {percent(sd)}"


def deviation(values: Sequence[float]) -> float:
    """Deviation with ddof = 1; NaN for one value, and where one is not known."""
    return moments.stdev(values) if len(values) > 1 and not math.isnan(sum(values)) else math.nan


def signed(points: float) -> str:
    """A difference in points with its sign: `−1.20`; nothing is `+0.00`."""
    return NONE if math.isnan(points) else f"{round(points, 2) + 0.0:+.2f}".replace("-", "−")


def interval(low: float, high: float) -> str:
    """An interval of differences of scores, in points: `[−1.95, −0.45]`."""
    return NONE if math.isnan(low) else f"[{signed(100 * low)}, {signed(100 * high)}]"


def p_value(p: float) -> str:
    if math.isnan(p):
        return NONE
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def seeds(number: int) -> str:
    """`1 seed`, `5 seeds`."""
    return f"{number} seed{'s' * (number != 1)}"
