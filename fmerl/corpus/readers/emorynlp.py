"""EmoryNLP (Zahiri and Choi 2018): the JSON of its release, or the CSVs with times that MELD's repository holds.

Both call utterances alike, so features and labels of one fit the part of the other that is the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmerl.corpus.dialogue import Corpus, Dialogue, Problem, Split, Utterance
from fmerl.corpus.readers.clock import clock_seconds
from fmerl.corpus.tables import read_csv
from fmerl.errors import InputError
from fmerl.user_text import read_json

NAME = "emorynlp"

CLASSES = ("neutral", "joyful", "peaceful", "powerful", "scared", "mad", "sad")

VAD_RANGE = (0.0, 5.0)
"""Range of the scores that the paper's language model gives."""

_FILES: tuple[tuple[Split, str, str], ...] = (
    ("train", "emotion-detection-trn.json", "emorynlp_train_final.csv"),
    ("validation", "emotion-detection-dev.json", "emorynlp_dev_final.csv"),
    ("test", "emotion-detection-tst.json", "emorynlp_test_final.csv"),
)
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode")
_TIMES = ("Start_Time", "End_Time")
_UTTERANCE_ID = re.compile(r"(s\d+_e\d+_c\d+)_u(\d+)", re.ASCII)
_RELEASE = "take the file from EmoryNLP's release, or from MELD's repository"


@dataclass(frozen=True, kw_only=True)
class _Found:
    """An utterance as a file has it."""

    path: Path
    row: int | None
    name: str
    speakers: Any
    text: Any
    emotion: Any
    start: float | None = None
    end: float | None = None

    def error(self, what: str, remedy: str = _RELEASE) -> InputError:
        return InputError(self.path, f"{self.name}: {what}", remedy, row=self.row)


def read_emorynlp(folder: Path) -> tuple[Corpus, list[Problem]]:
    """Read EmoryNLP from three JSON files, or else from three CSVs.

    Utterances keep the release's ids (`s01_e02_c01_u002`); scenes are dialogues, and turns are the numbers of their
    utterances, with gaps. Emotions are read in lower case. What several say together has one speaker, named for all.

    Returns:
        The corpus, and the odd utterances: several speakers, none, or an empty text.

    Raises:
        InputError: A file is missing or of another form; an id that is none or stands twice; an unknown emotion.
    """
    problems: list[Problem] = []
    as_json = (folder / _FILES[0][1]).exists()
    dialogues: list[Dialogue] = []
    seen: set[str] = set()
    for split, json_name, csv_name in _FILES:
        found = _from_json(folder / json_name) if as_json else _from_csv(folder / csv_name)
        scenes: dict[str, list[Utterance]] = {}
        for item in found:
            utterance = _utterance(item, split, problems)
            if utterance.utterance_id in seen:
                raise item.error("it stands twice", "keep one of the two")
            seen.add(utterance.utterance_id)
            scenes.setdefault(utterance.dialogue_id, []).append(utterance)
        dialogues += (
            Dialogue(dialogue_id=scene, utterances=tuple(sorted(turns, key=lambda item: item.turn)))
            for scene, turns in scenes.items()
        )
    return Corpus(name=NAME, classes=CLASSES, vad_range=VAD_RANGE, dialogues=tuple(dialogues)), problems


def _from_json(path: Path) -> Iterator[_Found]:
    content = read_json(path, _RELEASE)
    try:
        spoken = [item for each in content["episodes"] for scene in each["scenes"] for item in scene["utterances"]]
        for item in spoken:
            yield _Found(
                path=path,
                row=None,
                name=str(item["utterance_id"]),
                speakers=item["speakers"],
                text=item["transcript"],
                emotion=item["emotion"],
            )
    except (KeyError, TypeError) as error:
        what = f"no episodes of scenes of utterances with id, speakers, transcript and emotion ({error!r})"
        raise InputError(path, what, _RELEASE) from None


def _from_csv(path: Path) -> Iterator[_Found]:
    for row in read_csv(path, _COLUMNS, _TIMES):
        numbers = [row[column] for column in ("Season", "Episode", "Scene_ID", "Utterance_ID")]
        if not all(re.fullmatch(r"\d{1,4}", number, re.ASCII) for number in numbers):
            raise row.error(f"Season, Episode, Scene_ID, Utterance_ID {', '.join(numbers)} are no numbers", _RELEASE)
        season, episode, scene, turn = map(int, numbers)
        try:
            speakers = ast.literal_eval(row["Speaker"])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            speakers = row["Speaker"]
        yield _Found(
            path=path,
            row=row.number,
            name=f"s{season:02}_e{episode:02}_c{scene:02}_u{turn:03}",
            speakers=speakers,
            text=row["Utterance"],
            emotion=row["Emotion"],
            start=clock_seconds(row["Start_Time"]),
            end=clock_seconds(row["End_Time"]),
        )


def _utterance(item: _Found, split: Split, problems: list[Problem]) -> Utterance:
    match = _UTTERANCE_ID.fullmatch(item.name)
    if match is None:
        raise item.error("no id of an utterance, such as s01_e02_c01_u002")
    if not isinstance(item.emotion, str) or (emotion := item.emotion.strip().lower()) not in CLASSES:
        raise item.error(f"unknown emotion {item.emotion!r}", f"use one of {', '.join(CLASSES)}")
    if not isinstance(item.text, str):
        raise item.error("its transcript is no text")
    names = [" ".join(str(name).split()) for name in item.speakers] if isinstance(item.speakers, list) else [""]
    if not all(names):
        raise item.error(f"speakers {item.speakers!r} are no list of names")
    speaker = " & ".join(names) or "unknown"
    if len(names) != 1:
        what, action = f"{item.name}: {len(names) or 'no'} speakers", f"said by {speaker!r}"
        problems.append(Problem(where=item.path.name, row=item.row or 0, what=what, action=action))
    if not item.text.strip():
        what = f"{item.name}: empty transcript"
        problems.append(Problem(where=item.path.name, row=item.row or 0, what=what, action="kept"))
    return Utterance(
        utterance_id=item.name,
        dialogue_id=match[1],
        turn=int(match[2]),
        speaker=speaker,
        text=item.text,
        emotion=emotion,
        split=split,
        start=item.start,
        end=item.end,
    )
