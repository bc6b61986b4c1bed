"""Progress as the engine tells it; commands show it."""

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
"""Shows what is counted, such as cells: how many are waiting and how many were done before."""


class CountEvents(Protocol):
    """Receiver of many small things that end."""

    def ended(self, count: int, faults: int) -> None:
        """So many more are done, and so many of these have a fault."""


Counting = Callable[[str, int, int, str], AbstractContextManager[CountEvents]]
"""Shows many small things, such as calls: how many in all, how many were done before, and what a fault is called."""


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
