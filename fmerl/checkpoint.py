"""State that a cell needs to go on after its process died: one file, replaced whole after an epoch."""

from __future__ import annotations

import hashlib
import io
import logging
import time
from pathlib import Path
from typing import Any

import torch

from fmerl.files import replaced_file

_log = logging.getLogger(__name__)
_REFUSED = "%s is not used: %s; the cell starts from its beginning"
_DIGEST_BYTES = hashlib.sha256().digest_size


class Checkpoint:
    """Keeps a cell's state in a file: the SHA-256 of what follows, then what `torch.save` makes.

    PyTorch checks no sums when it reads, and a changed byte in the weights would change the cell's numbers.

    Args:
        path: The file; on shared storage where several machines may go on with the cell.
        every_seconds: An epoch that ends sooner after the last write is not kept: a cell of seconds writes nothing.
    """

    def __init__(self, path: Path, every_seconds: float = 30.0) -> None:
        self._path, self._every_seconds = path, every_seconds
        self._written = time.monotonic()

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
        return time.monotonic() - self._written >= self._every_seconds

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file; a process killed meanwhile, or a power cut, leaves the old one.

        Args:
            state: Tensors, numbers, strings, and lists, tuples and dictionaries of them.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        body = io.BytesIO()
        torch.save(state, body)
        with replaced_file(self._path) as file:
            file.write(hashlib.sha256(body.getbuffer()).digest())
            file.write(body.getbuffer())
        self._written = time.monotonic()

    def discard(self) -> None:
        """Delete the file, since the cell is finished, and what killed writers left of it."""
        for path in (self._path, *self._path.parent.glob(f".{self._path.name}.*")):
            path.unlink(missing_ok=True)
