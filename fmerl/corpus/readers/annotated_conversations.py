"""Annotated conversations: the files that `fmerl predict` reads, with an emotion for turns that have one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from fmerl.config import DIMENSIONS
from fmerl.corpus.conversations import filled, read_turns
from fmerl.corpus.dialogue import Corpus, Problem
from fmerl.corpus.folder import media_file, read_corpus
from fmerl.corpus.readers.assembly import corpus_of
from fmerl.corpus.tables import Row
from fmerl.errors import InputError


def read_conversations(
    path: Path,
    *,
    emotion: str = "emotion",
    vad_range: tuple[float, float] | None = None,
) -> tuple[Corpus, list[Problem]]:
    """Read CSV, Parquet, JSON lines, chat JSON or segments of a transcript; or a corpus folder, as it is.

    A turn needs a speaker and a text. Scores and splits are read where they are; what else a turn does not say is
    filled in as for `fmerl.corpus.conversations.read_turns`, whose fields these are.

    Args:
        path: The file, or the folder.
        emotion: Field of the emotion; turns without one are context.
        vad_range: Range of the scores, where there are any.

    Raises:
        InputError: See `read_turns` and `corpus_of`; or no turn with such a field.
    """
    if (path / "corpus.json").is_file():
        if emotion != "emotion" or vad_range is not None:
            raise InputError(path, "a corpus folder is taken as it is", "leave --emotion and --vad-range out")
        return _with_absolute_media(read_corpus(path), path), []
    rows = [_named(row, emotion) for row in read_turns(path, also=(emotion, *DIMENSIONS))]
    if not any("emotion" in row.cells for row in rows):
        raise InputError(path, f"no turn has a field {emotion}", "name the field that holds the emotion: --emotion")
    problems: list[Problem] = []
    rows = [_from_file(row) for row in filled(rows)]
    return corpus_of(rows, path.stem, problems, vad_range=vad_range), problems


def _named(row: Row, emotion: str) -> Row:
    cells = {name: cell for name, cell in row.cells.items() if name not in ("emotion", emotion)}
    if emotion in row.cells:
        cells["emotion"] = row[emotion]
    return Row(row.path, row.number, cells)


def _from_file(row: Row) -> Row:
    """The row with its media by absolute path: they start at their file, and the corpus is written elsewhere."""
    folder = row.path.resolve().parent
    media = {name: os.path.join(folder, row[name]) for name in ("audio_path", "video_path") if row[name]}
    return Row(row.path, row.number, {**row.cells, **media})


def _with_absolute_media(corpus: Corpus, folder: Path) -> Corpus:
    def absolute(path: str | None) -> str | None:
        return None if path is None else str(media_file(folder, path))

    dialogues = tuple(
        replace(
            dialogue,
            utterances=tuple(
                replace(item, audio_path=absolute(item.audio_path), video_path=absolute(item.video_path))
                for item in dialogue.utterances
            ),
        )
        for dialogue in corpus.dialogues
    )
    return replace(corpus, dialogues=dialogues)
