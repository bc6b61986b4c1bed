"""Checks that make rows of text the utterances of a corpus, row by row and all together."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import SPLITS, Corpus, Side, Split, Utterance
from fmerl.corpus.tables import Row
from fmerl.errors import InputError

SPAN_COLUMNS = ("video_start", "video_end")
TIME_COLUMNS = ("start", "end")

_WHOLE = re.compile(r"(-?\d{1,18})(?:\.0*)?", re.ASCII)
"""A whole number; data frames write one as 1.0 where a column has gaps."""


def is_identifier(value: Any) -> bool:
    """True for a value that other files can refer to: text without white space around it."""
    return isinstance(value, str) and value != "" and value == value.strip()


def checked_utterances(rows: list[Row], header: Corpus) -> list[Utterance]:
    """U rows as U utterances, in the same order.

    Args:
        header: Holds the classes and the VAD range that the rows must keep to.

    Raises:
        InputError: A row that is no utterance, or that clashes with an earlier one.
    """
    utterances = [_utterance(row, header) for row in rows]
    _check_together(rows, utterances)
    return utterances


def _utterance(row: Row, header: Corpus) -> Utterance:
    for column in ("utterance_id", "dialogue_id", "speaker"):
        if not is_identifier(row[column]):
            raise row.error(f"{column} {row[column]!r} is empty or has white space around it", "mend the name")
    turn = _WHOLE.fullmatch(row["turn"])
    if turn is None:
        raise row.error(f"turn {row['turn']!r} is not an integer", "number the dialogue's turns in their order")
    emotion = row["emotion"] or None
    if emotion is not None and emotion not in header.classes:
        classes = ", ".join(header.classes)
        raise row.error(f"unknown emotion {emotion!r}", f"use one of {classes}, or leave it empty for context only")
    if row["split"] not in SPLITS:
        raise row.error(f"unknown split {row['split']!r}", f"use one of {', '.join(SPLITS)}")
    return Utterance(
        utterance_id=row["utterance_id"],
        dialogue_id=row["dialogue_id"],
        turn=int(turn[1]),
        speaker=row["speaker"],
        text=row["text"],
        emotion=emotion,
        split=row["split"],
        audio_path=row["audio_path"] or None,
        video_path=row["video_path"] or None,
        **_span(row),
        video_side=_side(row),
        **_seconds(row, TIME_COLUMNS),
        **_scores(row, *header.vad_range),
    )


def _scores(row: Row, low: float, high: float) -> dict[str, float]:
    given = [name for name in DIMENSIONS if _is_given(row[name])]
    if given and len(given) < len(DIMENSIONS):
        what = f"{', '.join(given)} given without {', '.join(name for name in DIMENSIONS if name not in given)}"
        raise row.error(what, "give all three scores or none")
    scores = {}
    for name in given:
        scores[name] = _number(row[name])
        if not low <= scores[name] <= high:
            what = f"{name} {row[name]!r} is not a number from {low:g} to {high:g}"
            raise row.error(what, "mend the score or vad_range, or leave all three scores empty")
    return scores


def _span(row: Row) -> dict[str, float]:
    span = _seconds(row, SPAN_COLUMNS)
    if span and not row["video_path"]:
        raise row.error(f"{' and '.join(span)} given without video_path", "name the video, or leave its span empty")
    if len(span) == 2 and not span["video_start"] < span["video_end"]:
        what = f"video_start {row['video_start']} is not before video_end {row['video_end']}"
        raise row.error(what, "mend the span, or leave it empty for the whole video")
    return span


def _seconds(row: Row, columns: Sequence[str]) -> dict[str, float]:
    """The columns that are not empty."""
    found = {}
    for name in columns:
        if not _is_given(row[name]):
            continue
        found[name] = _number(row[name])
        if not 0 <= found[name] < math.inf:
            raise row.error(f"{name} {row[name]!r} is not a number of seconds", "give seconds from 0 on, or none")
    return found


def _side(row: Row) -> Side | None:
    side = row["video_side"]
    if side in get_args(Side) and row["video_path"]:
        return cast(Side, side)
    if side in get_args(Side):
        raise row.error("video_side given without video_path", "name the video, or leave its side empty")
    if side:
        raise row.error(f"unknown video_side {side!r}", "use left or right, or leave it empty for the whole picture")
    return None


def _is_given(cell: str) -> bool:
    """False for the cell of a missing number: empty, or NaN."""
    return cell.lower() not in ("", "nan")


def _number(cell: str) -> float:
    """Number in a cell; NaN if it holds none."""
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _check_together(rows: list[Row], utterances: list[Utterance]) -> None:
    """Check across rows that ids and turns are unique, and that a dialogue lies in one split."""
    id_rows: dict[str, int] = {}
    turn_rows: dict[tuple[str, int], int] = {}
    split_rows: dict[str, tuple[Split, int]] = {}
    for row, utterance in zip(rows, utterances, strict=True):
        name, dialogue = utterance.utterance_id, utterance.dialogue_id
        if (first := id_rows.setdefault(name, row.number)) != row.number:
            raise row.error(f"utterance_id {name!r} is also that of row {first}", "give every utterance its own id")
        if (first := turn_rows.setdefault((dialogue, utterance.turn), row.number)) != row.number:
            what = f"turn {utterance.turn} of dialogue {dialogue!r} is also that of row {first}"
            raise row.error(what, "give every turn of a dialogue its own number")
        split, first = split_rows.setdefault(dialogue, (utterance.split, row.number))
        if split != utterance.split:
            what = f"dialogue {dialogue!r} is in {utterance.split} here and in {split} in row {first}"
            raise row.error(what, "keep a dialogue in one split")


def check_splits(path: Path, utterances: list[Utterance]) -> None:
    """Raise InputError unless every split has labelled utterances."""
    for split in SPLITS:
        emotions = [utterance.emotion for utterance in utterances if utterance.split == split]
        if not emotions:
            raise InputError(path, f"no utterance in split {split}", f"fill all of {', '.join(SPLITS)}")
        if not any(emotions):
            raise InputError(path, f"no labelled utterance in split {split}", "give some of them an emotion")
