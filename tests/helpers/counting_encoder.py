"""An encoder that notes in a file what it encodes, to be counted by tests across processes and kills.

Run as a program, it extracts a corpus: `python counting_encoder.py CORPUS FEATURES STORAGE LOG SECONDS [WIDTH]`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.corpus import SPLITS, Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.features.encoder import Encoded, Item
from fmerl_platform.extraction.run import ExtractionRequest, extract


def vector(text: str, width: int) -> NDArray[np.float32]:
    """What the encoder makes of a text, [width]."""
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest())).normal(size=width).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class CountingSpec:
    log: Path
    """Every utterance that is encoded becomes a line."""
    width: int = 4
    seconds: float = 0.0
    """Per utterance."""
    modality: str = "text"
    uses_gpu: bool = True
    raises: str = ""
    """Text that the encoder raises on."""
    dies: str = ""
    """Text that kills the process."""
    broken: str = ""
    """Why it cannot be built."""

    def build(self, device: str = "cpu") -> CountingEncoder:
        if self.broken:
            raise InputError("counting encoder", self.broken, "mend it")
        return CountingEncoder(self)


class CountingEncoder:
    columns = None

    def __init__(self, spec: CountingSpec) -> None:
        self.modality, self.width, self._spec = spec.modality, spec.width, spec

    def recipe(self) -> dict[str, Any]:
        return {"encoder": "counting", "width": self.width}

    def encode(self, items: Sequence[Item]) -> Encoded:
        values = np.zeros((len(items), self.width), dtype=np.float32)
        problems: list[str | None] = []
        for row, item in enumerate(items):
            time.sleep(self._spec.seconds)
            if self._spec.raises and item.text == self._spec.raises:
                raise RuntimeError(f"cannot read {item.text!r}")
            if self._spec.dies and item.text == self._spec.dies:
                os.abort()
            with self._spec.log.open("a") as log:
                log.write(f"{item.utterance_id}\n")
            if item.text:
                values[row] = vector(item.text, self.width)
            problems.append(None if item.text else "there is nothing")
        missing = np.array([not item.text for item in items])
        return Encoded(values=values, missing=missing, problems=tuple(problems))


def talk(texts: Sequence[str], turns: int = 4) -> Corpus:
    """A corpus of these texts, `turns` per dialogue; the last two dialogues are validation and test."""
    dialogues = []
    starts = range(0, len(texts), turns)
    for number, start in enumerate(starts):
        split = SPLITS[max(0, number - len(starts) + 3)]
        utterances = tuple(
            Utterance(
                utterance_id=f"u{start + turn}",
                dialogue_id=f"d{number}",
                turn=turn,
                speaker="s",
                text=text,
                emotion="joy" if turn % 2 else "anger",
                split=split,
                valence=1.0,
                arousal=2.0,
                dominance=3.0,
            )
            for turn, text in enumerate(texts[start : start + turns])
        )
        dialogues.append(Dialogue(dialogue_id=f"d{number}", utterances=utterances))
    return Corpus(name="talk", classes=("joy", "anger"), vad_range=(0, 5), dialogues=tuple(dialogues))


if __name__ == "__main__":
    from helpers import counting_encoder

    folder, features, storage, log = map(Path, sys.argv[1:5])
    # Workers find the class by its module's name.
    width = int(sys.argv[6]) if len(sys.argv) > 6 else 4
    spec = counting_encoder.CountingSpec(log=log, seconds=float(sys.argv[5]), width=width)
    extract(ExtractionRequest(corpus=folder, features=features, specs=[spec], storage=storage))
