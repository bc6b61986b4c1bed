"""Faults that real releases have, planted on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

Fault = Literal["missing", "mute", "faceless", "corrupt"]

MEANING: dict[Fault, str] = {
    "missing": "the file is not there",
    "mute": "no sound track in the video, or silence in the wav file",
    "faceless": "the speaker is out of the picture",
    "corrupt": "every byte of the file is zero",
}


def plant(utterance_ids: Sequence[str], rng: np.random.Generator) -> dict[str, Fault]:
    """One utterance for each fault."""
    chosen = rng.choice(len(utterance_ids), size=len(get_args(Fault)), replace=False)
    return {utterance_ids[row]: fault for row, fault in zip(chosen, get_args(Fault), strict=True)}


def spoil(path: Path, fault: Fault | None) -> None:
    """Delete or corrupt a written file, for the faults that its content cannot show."""
    if fault == "missing":
        path.unlink()
    elif fault == "corrupt":
        path.write_bytes(bytes(path.stat().st_size))
