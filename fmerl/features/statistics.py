"""Mean and deviation of every feature over the training split, kept beside its table.

Shapes: n rows of a piece, D width of the modality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fmerl.files import file_digest

STATISTICS = "statistics.parquet"

_ROUNDING = 1e-6
"""Deviation relative to the mean below which a feature is constant, as in `fmerl.model.layers.Standardizer`."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of one table, in float64."""

    rows: int
    """Training utterances that have the modality."""
    columns: tuple[str, ...]
    """Names of the D features, or their numbers from 0."""
    mean: NDArray[np.float64]
    """Mean of each feature, [D]."""
    deviation: NDArray[np.float64]
    """Deviation of the population, that is, without Bessel's correction, [D]."""

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Features that standardisation turns into zeros, [D]."""
        return self.deviation <= _ROUNDING * np.maximum(np.abs(self.mean), _ROUNDING)


class StatisticsFit:
    """Fits `Statistics` in one pass over pieces of the training split (Chan, Golub and LeVeque 1983).

    Example:
        >>> fit = StatisticsFit(width=2)
        >>> fit.add(np.array([[0, 1], [2, 1]], dtype=np.float32))
        >>> fit.statistics().mean.tolist()
        [1.0, 1.0]
    """

    def __init__(self, width: int) -> None:
        self._rows = 0
        self._mean = np.zeros(width)
        self._squares = np.zeros(width)
        """Sum of squared differences from the mean."""

    def add(self, values: NDArray[np.float32]) -> None:
        """Take in observed training rows, [n, D]."""
        if not len(values):
            return
        exact = values.astype(np.float64)
        mean, rows = exact.mean(axis=0), self._rows + len(exact)
        shift = mean - self._mean
        self._squares += ((exact - mean) ** 2).sum(axis=0) + shift**2 * (self._rows * len(exact) / rows)
        self._mean += shift * (len(exact) / rows)
        self._rows = rows

    def statistics(self, columns: Sequence[str] | None = None) -> Statistics:
        """The statistics of all rows so far; zeros if there were none."""
        return Statistics(
            rows=self._rows,
            columns=tuple(columns or map(str, range(len(self._mean)))),
            mean=self._mean.copy(),
            deviation=np.sqrt(self._squares / max(self._rows, 1)),
        )


def write_statistics(folder: Path, statistics: Statistics) -> dict[str, Any]:
    """Write `statistics.parquet` beside a table; returns its fields for the card."""
    table = {
        "column": list(statistics.columns),
        "mean": statistics.mean,
        "deviation": statistics.deviation,
        "constant": statistics.constant,
    }
    pq.write_table(pa.table(table), folder / STATISTICS)
    return {"split": "train", "rows": statistics.rows, "sha256": file_digest(folder / STATISTICS)}
