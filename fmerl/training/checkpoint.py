"""What a cell needs to go on after its process died: one file, replaced whole after an epoch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch


class Checkpoint:
    """Keeps a cell's state in a file.

    Args:
        path: Of the file; where several machines may go on with the cell, on storage that they share.
        every_seconds: An epoch that ends sooner after the last write is not kept: a cell of seconds writes nothing.
    """

    def __init__(self, path: Path, every_seconds: float = 30.0) -> None:
        self._path, self._every_seconds = path, every_seconds
        self._written = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The state last saved; None where there is none."""
        if not self._path.exists():
            return None
        # Predictions are NumPy arrays, which the safe loader refuses; the file is this cell's own.
        state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=False)
        return state

    def due(self) -> bool:
        return time.monotonic() - self._written >= self._every_seconds

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file; a process killed meanwhile leaves the old one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}.new")
        torch.save(state, fresh)
        fresh.replace(self._path)
        self._written = time.monotonic()

    def discard(self) -> None:
        """The cell is finished."""
        self._path.unlink(missing_ok=True)
