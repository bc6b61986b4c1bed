"""Interface of progress: the engine reports it, commands show it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class RunEvents(Protocol):
    """Receiver of runs that start and end."""

    def started(self, worker: str) -> None:
        """A worker begins a run; a worker that begins another has given up its last."""

    def ended(self, worker: str, name: str, error: str) -> None:
        """A run is finished, or failed with `error`."""


Progress = Callable[[str, int, int], AbstractContextManager[RunEvents]]
"""Display of runs: their kind, such as cells, how many are waiting, how many were done before."""


class CountEvents(Protocol):
    """Receiver of many small things that end."""

    def ended(self, count: int, faults: int) -> None:
        """`count` more are done, `faults` of them with a fault."""


Counting = Callable[[str, int, int, str], AbstractContextManager[CountEvents]]
"""Display of small things: their kind, such as calls, how many in all, how many done before, a fault's name."""


class _SilentRuns:
    def started(self, worker: str) -> None: ...

    def ended(self, worker: str, name: str, error: str) -> None: ...


class _SilentCount:
    def ended(self, count: int, faults: int) -> None: ...


def silent(kind: str, waiting: int, done: int) -> AbstractContextManager[RunEvents]:
    """A `Progress` that shows nothing."""
    return nullcontext(_SilentRuns())


def uncounted(kind: str, total: int, done: int, faults: str) -> AbstractContextManager[CountEvents]:
    """A `Counting` that shows nothing."""
    return nullcontext(_SilentCount())
