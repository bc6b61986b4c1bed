"""The rule that ends a search which finds nothing better any more."""

from __future__ import annotations

from collections.abc import Iterable


class NoImprovement:
    """Counts trials in a row that ended without a new best objective.

    Args:
        patience: Number of such trials that ends the search; None never does.
        objectives: Objectives of earlier trials, in the order in which they ended; NaN of one that failed.
    """

    def __init__(self, patience: int | None, objectives: Iterable[float] = ()) -> None:
        self._patience = patience
        self._best, self._since = float("-inf"), 0
        for objective in objectives:
            self.add(objective)

    def add(self, objective: float) -> None:
        """Count a trial that has ended."""
        if objective > self._best:
            self._best, self._since = objective, 0
        else:
            self._since += 1

    @property
    def reached(self) -> bool:
        """True if the search is to end."""
        return self._patience is not None and self._since >= self._patience
