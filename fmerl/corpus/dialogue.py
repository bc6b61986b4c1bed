"""Conversations: utterances in turn order, grouped in dialogues, grouped in a corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Side = Literal["left", "right"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One turn of one speaker.

    `emotion` is None for an utterance that is context only. Scores are in the corpus's `vad_range`. A media path that
    is not absolute starts at the corpus folder; `fmerl.corpus.media_file` resolves it.
    """

    utterance_id: str
    dialogue_id: str
    turn: int
    speaker: str
    text: str
    emotion: str | None
    split: Split
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    audio_path: str | None = None
    video_path: str | None = None
    video_start: float | None = None
    """Start of the utterance in the video, in seconds; None for the video's beginning."""
    video_end: float | None = None
    """End of the utterance, in seconds; None for the video's end."""
    video_side: Side | None = None
    """Half of the picture that shows the speaker; None for all of it."""
    start: float | None = None
    """Time in the recording that the dialogue is from, in seconds, as the release says."""
    end: float | None = None
    """End likewise; nothing is cut by it, so it may be wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialogue:
    """T utterances of one conversation, sorted by turn, all in one split."""

    dialogue_id: str
    utterances: tuple[Utterance, ...]

    @property
    def split(self) -> Split:
        return self.utterances[0].split

    def speaker_indices(self) -> list[int]:
        """Index of each turn's speaker, by first appearance in this dialogue (T values from 0)."""
        order: dict[str, int] = {}
        return [order.setdefault(utterance.speaker, len(order)) for utterance in self.utterances]


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """Dialogues with the classes their emotions come from, in label order."""

    name: str
    classes: tuple[str, ...]
    vad_range: tuple[float, float]
    """Lowest and highest score of a VAD annotation."""
    dialogues: tuple[Dialogue, ...]
    unseen_class: str | None = None
    """The class that the corpus's zero-shot experiment holds out."""
    class_map: Mapping[str, str | None] = field(default_factory=dict)
    """Classes that were renamed, merged or left out (None) when the corpus was imported, by their first name."""

    def utterances(self) -> Iterator[Utterance]:
        for dialogue in self.dialogues:
            yield from dialogue.utterances

    def digest(self) -> str:
        """SHA-256 over the corpus, independent of the file format it came from.

        `start`, `end` and `class_map` are left out: no feature and no model reads them.
        """
        header = [self.name, self.classes, [float(score) for score in self.vad_range], self.unseen_class]
        digest = hashlib.sha256(json.dumps(header).encode())
        for utterance in self.utterances():
            values = {name: value for name, value in asdict(utterance).items() if name not in ("start", "end")}
            digest.update(json.dumps(values, sort_keys=True).encode())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """An odd row that a reader met, and what it did about it; written to `problems.csv`."""

    where: str
    row: int
    what: str
    action: str
    on_screen: bool = False
    """Tell it on screen too: it concerns the release as a whole."""
