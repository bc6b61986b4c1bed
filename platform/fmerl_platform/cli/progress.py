"""Live progress: a bar in a terminal; in a log one line per run, or of many small things a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

_LINE_SECONDS = 10.0


class _Bar:
    """Base of all bars: their look, and silence outside a terminal.

    Args:
        console: Console to draw on.
        kind: Name of the things counted, such as cells.
        total: Number of them all.
        done: Number finished before.
    """

    def __init__(self, console: Console, kind: str, total: int, done: int) -> None:
        self._console, self._kind, self._total, self._before = console, kind, total, done
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(kind, total=total, completed=done, state="starting Ray workers")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class RateProgress(_Bar):
    """Counts many small things and the faults among them, and shows rate and time left.

    Args:
        console: Console to draw on; not a terminal means a line every ten seconds.
        kind: Name of the things counted, such as calls.
        total: Number of them all.
        done: Number finished before this run.
        faults: Name of a fault.
    """

    def __init__(self, console: Console, kind: str, total: int, done: int, faults: str = "errors") -> None:
        super().__init__(console, kind, total, done)
        self._fault_name = faults
        self._ended = self._faults = 0
        self._since: float | None = None
        self._uncounted = 0
        self._printed = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if not self._console.is_terminal:
            self._line()

    def ended(self, count: int, faults: int) -> None:
        """`count` more are done, `faults` of them with a fault."""
        now = time.monotonic()
        self._ended += count
        self._faults += faults
        if self._since is None:
            # Rate since the first outcome: the start of Ray's workers does not count.
            self._since, self._uncounted = now, self._ended
        self._bar.update(self._task, completed=self._before + self._ended, state=self._state())
        if not self._console.is_terminal and now - self._printed > _LINE_SECONDS:
            self._printed = now
            self._line()

    def _line(self) -> None:
        done = self._before + self._ended
        line = f"{done:,}/{self._total:,} {self._kind}, {self._state()}"
        self._console.print(Text(line), soft_wrap=True)

    def _state(self) -> str:
        seconds = time.monotonic() - self._since if self._since else 0.0
        counted = self._ended - self._uncounted
        faults = f"{self._faults:,} {self._fault_name}"
        if not counted or seconds <= 0:
            return faults
        rate = counted / seconds
        left = (self._total - self._before - self._ended) / rate
        return f"{faults}, {rate:.1f} {self._kind}/s, about {duration(left)} to go"


class RunProgress(_Bar):
    """Counts runs done, running and left, and estimates the time left.

    Args:
        console: Console to draw on; not a terminal means plain lines.
        kind: Name of the things counted, such as cells.
        waiting: Runs to train by this command.
        done: Runs finished before.
    """

    def __init__(self, console: Console, kind: str, waiting: int, done: int) -> None:
        super().__init__(console, kind, waiting + done, done)
        self._ended, self._failed = 0, 0
        self._running: dict[str, float] = {}
        self._at_once = 1
        self._seconds: list[float] = []

    def started(self, worker: str) -> None:
        """A worker begins a run; a worker that begins another has given up its last."""
        self._running[worker] = time.monotonic()
        self._at_once = max(self._at_once, len(self._running))
        self._draw()

    def ended(self, worker: str, name: str, error: str) -> None:
        """A run is finished, or failed with `error`."""
        seconds = time.monotonic() - self._running.pop(worker, time.monotonic())
        self._seconds.append(seconds)
        self._ended += 1
        self._failed += bool(error)
        if error or not self._console.is_terminal:
            outcome = f"failed: {error}" if error else f"{seconds:.1f} s"
            line = f"{self._before + self._ended}/{self._total}  {name}  {outcome}  ({self._state()})"
            self._console.print(Text(line, style="red" if error else ""), soft_wrap=True)
        self._draw()

    def seconds_left(self) -> float | None:
        """Mean seconds per run x runs left / runs at once, less what the running ones have done."""
        if not self._seconds:
            return None
        mean = sum(self._seconds) / len(self._seconds)
        left = self._total - self._before - self._ended
        done = sum(min(mean, time.monotonic() - since) for since in self._running.values())
        return max(0.0, (mean * left - done) / self._at_once)

    def _state(self) -> str:
        left = self._total - self._before - self._ended - len(self._running)
        parts = [f"{len(self._running)} running", f"{left} left"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        seconds = self.seconds_left()
        if seconds is not None:
            parts.append(f"about {duration(seconds)} to go")
        return ", ".join(parts)

    def _draw(self) -> None:
        self._bar.update(self._task, completed=self._before + self._ended, state=self._state())


def duration(seconds: float) -> str:
    """Readable time: hours and minutes, minutes, or seconds."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
