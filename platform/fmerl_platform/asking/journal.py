"""The journal: every answer that was paid for, on disk before it is used.

A folder of append-only JSON-lines files, one per writing process, never rewritten. A line counts once its newline
is there: what a killed writer left half-written is passed over, and its call is asked again.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from fmerl.errors import InputError
from fmerl.files import sync
from fmerl.supervision.answers import Answer
from fmerl_platform.asking.prices import Price, Tokens
from fmerl_platform.asking.ways import USUAL_WAYS, Ways
from fmerl_platform.running.lock import exclusive

_SUFFIX = ".jsonl"
_WRITERS_SECONDS = 30.0
"""Longest time that workers of a killed run may take to end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One request that the endpoint answered, or may have charged for without a usable answer."""

    key: str
    """Key of the call."""
    at: str
    """Time in UTC, ISO 8601."""
    model: str
    """Model that the endpoint reports."""
    prompt_tokens: int
    completion_tokens: int
    answer: Answer | None = None
    failure: str | None = None
    """Reason why there is no answer."""
    refused: bool = False
    """True if the endpoint will refuse this very request each time."""
    cached_tokens: int = 0
    """Tokens of the prompt that the endpoint had in its cache."""
    batch: str = ""
    """Id of the batch that the request was in; empty for a direct one."""
    ways: Ways = USUAL_WAYS
    """Known of the endpoint by then."""

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.prompt_tokens, self.completion_tokens, self.cached_tokens)

    def to_line(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        fields = json.loads(line)
        return cls(**{**fields, "answer": _answer(fields["answer"]), "ways": Ways(**fields.get("ways", {}))})


def _answer(fields: dict[str, Any] | None) -> Answer | None:
    if fields is None:
        return None
    first = fields["first_token"]
    return Answer(**{**fields, "first_token": first and tuple((token, logprob) for token, logprob in first)})


class JournalWriter:
    """Appends to a file of its own, locked for as long as this process lives.

    Entries of tasks that wait together share one write and one fsync.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"{uuid4().hex}{_SUFFIX}").open("xb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        sync(folder)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def append(self, entry: Entry) -> None:
        """Return once the entry is on disk.

        Raises:
            OSError: It could not be written; nothing more should be paid for.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry.to_line(), written))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await written

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
            except OSError as error:
                for _, written in batch:
                    written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.cancelled():
                        written.set_result(None)
        self._flushing = None

    def _write(self, lines: bytes) -> None:
        self._file.write(lines)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class JournalReader:
    """All entries of a folder; `refresh` reads those appended since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offsets: dict[Path, int] = defaultdict(int)
        self._rows: dict[Path, int] = defaultdict(int)
        self.entries: dict[str, list[Entry]] = defaultdict(list)
        """Entries by key, oldest first within a writer."""
        self.refresh()

    def refresh(self) -> None:
        """Read entries appended since.

        Raises:
            InputError: A whole line that is no entry.
        """
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            if path.stat().st_size > self._offsets[path]:
                self._read_on(path)

    def answers(self, key: str) -> list[Answer]:
        return [entry.answer for entry in self.entries.get(key, ()) if entry.answer is not None]

    def has_answers(self) -> bool:
        return any(entry.answer is not None for entries in self.entries.values() for entry in entries)

    def ways(self, keys: Iterable[str]) -> Ways:
        """The endpoint's ways, as requests for these calls taught them."""
        known = (entry.ways for key in keys for entry in self.entries.get(key, ()))
        return max(known, key=Ways.lessons, default=USUAL_WAYS)

    def _read_on(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._offsets[path])
            whole, newline, _torn = file.read().rpartition(b"\n")
        self._offsets[path] += len(whole) + len(newline)
        for line in whole.splitlines():
            self._rows[path] += 1
            try:
                entry = Entry.from_line(line)
            except (ValueError, TypeError, KeyError):
                remedy = "delete this line; its call will be made again"
                raise InputError(path, "no journal entry", remedy, row=self._rows[path]) from None
            self.entries[entry.key].append(entry)


def cost_of(entries: Iterable[Entry], price: Price) -> float:
    """Cost of requests, each by the way it was asked."""
    return sum(price.cost(entry.tokens, in_batch=bool(entry.batch)) for entry in entries)


@contextmanager
def only_run(folder: Path, what: str) -> Iterator[None]:
    """Hold the journal alone: two runs would pay for the same calls.

    Args:
        folder: The journal's, made if it is not there.
        what: Name in the error if another run holds it.

    Raises:
        InputError: Another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.parent / ".lock", what, "wait for the other run"):
        await_writers(folder, _WRITERS_SECONDS)
        yield


def await_writers(folder: Path, seconds: float) -> None:
    """Wait until no process writes to the journal: workers may outlive a killed driver for a moment.

    Raises:
        InputError: One still does after `seconds`.
    """
    deadline = time.monotonic() + seconds
    for path in folder.glob(f"*{_SUFFIX}"):
        with path.open("rb") as file:
            while not _lockable(file.fileno()):
                if time.monotonic() > deadline:
                    raise InputError(path, "another process is writing to it", "wait for the other run, or end it")
                time.sleep(0.1)


def _lockable(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
