"""audformat databases of made-up talks, written by the library itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import audformat
import numpy as np
import pandas as pd
import soundfile


@dataclass(frozen=True)
class Segment:
    """What one says in a recording."""

    file: str
    start: float
    end: float
    speaker: str
    text: str
    emotion: str | None
    split: str
    scores: tuple[float, float, float] = (4.0, 4.0, 4.0)


def segments_of(talks: int = 6) -> list[Segment]:
    """Three segments in each recording, the last of which has a text alone; a third of the talks in each split."""
    moods = ("angry", "happy", "neutral")
    splits = ("train", "dev", "test")
    return [
        Segment(
            file=f"audio/talk{talk}.wav",
            start=float(turn),
            end=turn + 0.75,
            speaker=("ann", "bob")[turn % 2],
            text=f"text {talk} {turn}",
            emotion=None if turn == 2 else moods[(talk + turn) % 3],
            split=splits[talk % 3],
            scores=(1.0 + talk % 7, 2.0, 7.0),
        )
        for talk in range(talks)
        for turn in range(3)
    ]


def write_talks(folder: Path, segments: Sequence[Segment], *, scores: bool = True, storage: str = "csv") -> Path:
    """A database with emotions and scores in a table per split, and speakers and texts in one of all segments."""
    database = audformat.Database("talks", source="https://example.org", usage="research")
    database.schemes["emotion"] = audformat.Scheme(labels=["neutral", "happy", "angry", "other"])
    database.schemes["speaker"] = audformat.Scheme(labels={"ann": {"gender": "female"}, "bob": {"gender": "male"}})
    database.schemes["transcription"] = audformat.Scheme("str")
    dimensions = ("valence", "arousal", "dominance") if scores else ()
    for name in dimensions:
        database.schemes[name] = audformat.Scheme("float", minimum=1, maximum=7)
    for split in ("train", "dev", "test"):
        database.splits[split] = audformat.Split(split)
        items = [item for item in segments if item.split == split and item.emotion is not None]
        if not items:
            continue
        table = database[f"emotion.{split}"] = audformat.Table(index_of(items), split_id=split)
        _fill(table, "emotion", [item.emotion for item in items])
        for place, name in enumerate(dimensions):
            _fill(table, name, [item.scores[place] for item in items])
    table = database["segments"] = audformat.Table(index_of(segments))
    _fill(table, "speaker", [item.speaker for item in segments])
    _fill(table, "transcription", [item.text for item in segments])
    database.save(str(folder), storage_format=storage)
    return folder


def write_sounds(folder: Path, segments: Sequence[Segment]) -> None:
    """Silence for every recording, four seconds long."""
    for file in {item.file for item in segments}:
        (folder / file).parent.mkdir(exist_ok=True)
        soundfile.write(folder / file, np.zeros(32_000), 8_000)


def index_of(segments: Sequence[Segment]) -> pd.MultiIndex:
    return audformat.segmented_index(
        [item.file for item in segments],
        [pd.Timedelta(seconds=item.start) for item in segments],
        [pd.Timedelta(seconds=item.end) for item in segments],
    )


def _fill(table: Any, name: str, values: list[Any]) -> None:
    table[name] = audformat.Column(scheme_id=name)
    table[name].set(values)
