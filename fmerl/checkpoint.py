"""State that a cell needs to go on after its process died: one file, replaced whole after an epoch."""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from fmerl.files import replaced_file

_log = logging.getLogger(__name__)
_REFUSED = "%s is not used: %s; the cell starts from its beginning"
_DIGEST_BYTES = hashlib.sha256().digest_size

SHARE = 0.02
"""Most of a cell's time that writing takes."""
_SLOW = 200e6
"""Bytes a second that a storage is held to write until its first file was."""


class Checkpoint:
    """Keeps a cell's state in a file: the SHA-256 of what follows, then what `torch.save` makes.

    PyTorch checks no sums when it reads, and a changed byte in the weights would change the cell's numbers.

    Args:
        path: The file; on shared storage where several machines may go on with the cell.
        every_seconds: An epoch that ends sooner after the last write is not kept: a cell of seconds writes nothing.
            Nor is one whose write would take the time of all writes over `SHARE` of the cell's; 0 keeps each epoch.
        clock: Seconds from any start.
    """

    def __init__(self, path: Path, every_seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._every_seconds, self._clock = path, every_seconds, clock
        self._started = clock()
        self._due = self._started + every_seconds
        self._spent, self._rate = 0.0, _SLOW

    def load(self) -> dict[str, Any] | None:
        """The state last saved; None where there is none, or a damaged one, which a warning names."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest != hashlib.sha256(body).digest():
            _log.warning(_REFUSED, self._path, "it is damaged")
            return None
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        except Exception as error:  # the safe loader raises any kind of error on files that are not PyTorch's own
            _log.warning(_REFUSED, self._path, f"it holds more than numbers ({type(error).__name__})")
            return None
        return state

    def due(self) -> bool:
        """True if a state would be kept."""
        return self._clock() >= self._due

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file, or put that off if it takes too long; what is killed meanwhile leaves the old one.

        Args:
            state: Tensors, numbers, strings, and lists, tuples and dictionaries of them.
        """
        began, size = self._clock(), sum(tensor.nbytes for tensor in _tensors(state))
        affordable = self._started + (self._spent + size / self._rate) / SHARE
        if self._every_seconds and began < affordable:
            self._due = affordable
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(self._path) as file:
            file.write(bytes(_DIGEST_BYTES))
            hashed = _Hashed(file)
            torch.save(state, hashed)  # type: ignore[arg-type]
            file.seek(0)
            file.write(hashed.digest())
        ended = self._clock()
        self._due, self._spent = ended + self._every_seconds, self._spent + ended - began
        self._rate = max(size, 1) / max(ended - began, 1e-9)

    def discard(self) -> None:
        """Delete the file, since the cell is finished, and what killed writers left of it."""
        for path in (self._path, *self._path.parent.glob(f".{self._path.name}.*")):
            path.unlink(missing_ok=True)


class _Hashed:
    """A file to write that knows the SHA-256 of what was written through it: no state is held twice in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def digest(self) -> bytes:
        return self._sha256.digest()


def _tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from _tensors(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _tensors(value)
