"""MELD's raw release (Poria et al. 2019), its three `*_sent_emo.csv` files: text, speakers and emotions."""

from __future__ import annotations

import re
from pathlib import Path

from fmerl.corpus.dialogue import Corpus, Dialogue, Problem, Split, Utterance
from fmerl.corpus.readers.clock import clock_seconds
from fmerl.corpus.readers.cp1252 import repair_cp1252
from fmerl.corpus.tables import Row, read_csv
from fmerl.errors import InputError

NAME = "meld"

CLASSES = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
"""Classes in the label order of the published feature pickles."""

VAD_RANGE = (0.0, 5.0)
"""Range of the scores that the paper's language model gives."""

UNSEEN_CLASS = "fear"

_FILES: tuple[tuple[Split, str], ...] = (("train", "train"), ("validation", "dev"), ("test", "test"))
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
_ADVISORY = ("StartTime", "EndTime")
"""Columns that only tell which clips not to trust."""

# The shortest clips of the release that play last .083 s (two frames of video), its longest turns below 30 s.
_SHORTEST_SECONDS = 0.05
_LONGEST_SECONDS = 30.0


def read_meld(folder: Path) -> tuple[Corpus, list[Problem]]:
    """Read MELD from its raw CSV files.

    Ids restart in each file and have gaps, so dialogues and utterances are called `train_dia0` and
    `train_dia0_utt3` (`dev_…`, `test_…`), as their clips are, and turns are MELD's Utterance_IDs.
    Media paths and VAD scores are left out: the files hold none. Times are those of the episode, reversed ones too.

    Returns:
        The corpus, and the odd rows: gaps and disorder in a dialogue's ids, spans that no clip of one
        turn has, characters, white space or letter case mended, empty texts, rows repeated; and files without spans.

    Raises:
        InputError: A file is missing, empty or no CSV of these columns; an id is no number; an emotion is
            unknown; a speaker is missing; two different rows have one id; a byte is neither UTF-8 nor cp1252.
    """
    problems: list[Problem] = []
    dialogues: list[Dialogue] = []
    for split, prefix in _FILES:
        dialogues += _read_split(folder / f"{prefix}_sent_emo.csv", split, prefix, problems)
    corpus = Corpus(
        name=NAME, classes=CLASSES, vad_range=VAD_RANGE, dialogues=tuple(dialogues), unseen_class=UNSEEN_CLASS
    )
    return corpus, problems


def _read_split(path: Path, split: Split, prefix: str, problems: list[Problem]) -> list[Dialogue]:
    found: dict[int, dict[int, tuple[Row, Utterance]]] = {}
    rows = read_csv(path, _COLUMNS, _ADVISORY, errors="surrogateescape")
    timed = any(row[name] for row in rows for name in _ADVISORY)
    if rows and not timed:
        what = f"no {' and no '.join(_ADVISORY)}"
        problems.append(Problem(where=path.name, row=1, what=what, action="spans of clips are not checked"))
    for row in rows:
        dialogue, turn = _number(row, "Dialogue_ID"), _number(row, "Utterance_ID")
        turns = found.setdefault(dialogue, {})
        if turn in turns:
            first = turns[turn][0]
            if first.cells != row.cells:
                what = f"utterance {turn} of dialogue {dialogue} differs from the one of row {first.number}"
                raise row.error(what, "keep the right one")
            problems.append(_problem(row, f"repeats row {first.number}", "left out"))
            continue
        turns[turn] = row, _utterance(row, split, f"{prefix}_dia{dialogue}", turn, problems)
        if timed:
            _note_span(row, problems)
    if not found:
        raise InputError(path, "no utterance", "take the file from MELD's raw release")
    for dialogue, turns in found.items():
        _note_id_order(dialogue, turns, problems)
    return [
        Dialogue(dialogue_id=f"{prefix}_dia{dialogue}", utterances=tuple(turns[turn][1] for turn in sorted(turns)))
        for dialogue, turns in found.items()
    ]


def _utterance(row: Row, split: Split, dialogue_id: str, turn: int, problems: list[Problem]) -> Utterance:
    text, speaker = _repaired(row, "Utterance", problems), _repaired(row, "Speaker", problems)
    if not text.strip():
        problems.append(_problem(row, "empty Utterance", "kept"))
    plain = " ".join(speaker.split())
    if not plain:
        raise row.error("empty Speaker", "name the speaker")
    if plain != speaker:
        problems.append(_problem(row, f"odd white space in Speaker {speaker!r}", f"read as {plain!r}"))
    emotion = row["Emotion"].strip().lower()
    if emotion not in CLASSES:
        raise row.error(f"unknown Emotion {row['Emotion']!r}", f"use one of {', '.join(CLASSES)}")
    if emotion != row["Emotion"]:
        problems.append(_problem(row, f"Emotion {row['Emotion']!r}", f"read as {emotion!r}"))
    return Utterance(
        utterance_id=f"{dialogue_id}_utt{turn}",
        dialogue_id=dialogue_id,
        turn=turn,
        speaker=plain,
        text=text,
        emotion=emotion,
        split=split,
        start=clock_seconds(row["StartTime"]),
        end=clock_seconds(row["EndTime"]),
    )


def _number(row: Row, column: str) -> int:
    if not re.fullmatch(r"\d{1,4}", row[column], re.ASCII):
        raise row.error(f"{column} {row[column]!r} is not a number", "take the file from MELD's raw release")
    return int(row[column])


def _repaired(row: Row, column: str, problems: list[Problem]) -> str:
    try:
        text = repair_cp1252(row[column])
    except UnicodeDecodeError as error:
        byte = error.object[0]
        raise row.error(f"byte {byte:02X} in {column} is neither UTF-8 nor cp1252", "mend the cell") from None
    if text != row[column]:
        problems.append(_problem(row, f"cp1252 bytes in {column}", f"read as {text!r}"))
    return text


def _note_span(row: Row, problems: list[Problem]) -> None:
    start, end = clock_seconds(row["StartTime"]), clock_seconds(row["EndTime"])
    if start is None or end is None:
        span = f"unreadable span {row['StartTime']!r} to {row['EndTime']!r}"
    elif not _SHORTEST_SECONDS <= end - start <= _LONGEST_SECONDS:
        span = f"span of {end - start:.3f} s"
    else:
        return
    problems.append(_problem(row, span, "kept; do not trust its clip"))


def _note_id_order(dialogue: int, turns: dict[int, tuple[Row, Utterance]], problems: list[Problem]) -> None:
    """Note one problem per dialogue and kind, at the first row concerned."""
    order = list(turns)
    late = next((turn for turn, before in zip(order[1:], order, strict=False) if turn < before), None)
    if late is not None:
        what = f"utterances of dialogue {dialogue} are out of order from Utterance_ID {late} on"
        problems.append(_problem(turns[late][0], what, "sorted by Utterance_ID"))
    absent = [turn for turn in range(max(turns)) if turn not in turns]
    if absent:
        after = min(turn for turn in turns if turn > absent[0])
        what = f"dialogue {dialogue} lacks Utterance_ID {', '.join(map(str, absent))}"
        problems.append(_problem(turns[after][0], what, "kept with the gap"))


def _problem(row: Row, what: str, action: str) -> Problem:
    return Problem(where=row.path.name, row=row.number, what=what, action=action)
