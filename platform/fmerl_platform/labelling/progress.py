"""Progress of a labelling run: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fmerl_platform.labelling.asking import Outcome
from fmerl_platform.progress import duration

_LINE_SECONDS = 10.0


class CallProgress:
    """Counts calls and errors, and tells rate and time left.

    Args:
        console: Where to draw.
        calls: Of the label set.
        done: Calls answered before this run.
    """

    def __init__(self, console: Console, calls: int, done: int) -> None:
        self._console, self._calls, self._before = console, calls, done
        self._ended = self._errors = 0
        self._since: float | None = None
        self._printed = time.monotonic()
        self._bar = Progress(
            TextColumn("calls"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("calls", total=calls, completed=done, state="starting Ray workers")

    def __enter__(self) -> CallProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if not self._console.is_terminal:
            self._line()

    def ended(self, outcome: Outcome) -> None:
        """A call has its outcome."""
        now = time.monotonic()
        self._since = self._since or now
        self._ended += 1
        self._errors += outcome.error is not None
        self._bar.update(self._task, completed=self._before + self._ended, state=self._state())
        if not self._console.is_terminal and now - self._printed > _LINE_SECONDS:
            self._printed = now
            self._line()

    def _line(self) -> None:
        done = self._before + self._ended
        self._console.print(f"{done:,}/{self._calls:,} calls, {self._state()}", highlight=False, soft_wrap=True)

    def _state(self) -> str:
        # Rate since the first outcome: the start of Ray's workers is no part of it.
        seconds = time.monotonic() - self._since if self._since else 0.0
        errors = f"{self._errors:,} errors"
        if self._ended < 2 or seconds <= 0:
            return errors
        rate = (self._ended - 1) / seconds
        left = (self._calls - self._before - self._ended) / rate
        return f"{errors}, {rate:.1f} calls/s, about {duration(left)} to go"
