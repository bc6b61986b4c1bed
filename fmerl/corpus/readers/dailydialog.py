"""DailyDialog as it ships (Li et al. 2017): a dialogue per line, `__eou__` behind utterances, emotions by number."""

from __future__ import annotations

import zipfile
from pathlib import Path

from fmerl.corpus.dialogue import Corpus, Dialogue, Problem, Split, Utterance
from fmerl.errors import InputError
from fmerl.user_text import decoded, read_text

NAME = "dailydialog"

CLASSES = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""Classes by the release's number; 0 is its `no emotion`, which the field calls neutral."""

VAD_RANGE = (0.0, 5.0)
"""Range of the scores that the paper's language model gives."""

_SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_END = "__eou__"
_REMEDY = "give the folder ijcnlp_dailydialog of the release, with train, validation and test, or their zip files"


def read_dailydialog(folder: Path) -> tuple[Corpus, list[Problem]]:
    """Read DailyDialog from the `train`, `validation` and `test` of its release, each a folder or a zip file.

    The release names no speakers: they take turns, and are called A and B. Dialogues and utterances are called
    `train_dia0` and `train_dia0_utt0`, counted from 0 in each split. The files beside the three, which hold the same
    dialogues without splits, are not read.

    Returns:
        The corpus, and empty utterances.

    Raises:
        InputError: A file is missing or not UTF-8; a dialogue has another number of utterances than of emotions, or an
            emotion that is none of the seven; the two files differ in their number of dialogues.
    """
    problems: list[Problem] = []
    dialogues = tuple(dialogue for split in _SPLITS for dialogue in _read_split(folder, split, problems))
    return Corpus(name=NAME, classes=CLASSES, vad_range=VAD_RANGE, dialogues=dialogues), problems


def _read_split(folder: Path, split: Split, problems: list[Problem]) -> list[Dialogue]:
    texts, talks = _lines(folder, split, f"dialogues_{split}.txt")
    emotions, labels = _lines(folder, split, f"dialogues_emotion_{split}.txt")
    if len(talks) != len(labels):
        what = f"{len(talks)} dialogues where {emotions.name} has {len(labels)}"
        raise InputError(texts, what, "take both files from one release")
    dialogues = []
    for place, (talk, line) in enumerate(zip(talks, labels, strict=True)):
        *spoken, rest = talk.split(_END)
        if rest.strip():
            raise InputError(texts, f"no {_END} behind the last utterance", "end each utterance with it", row=place + 1)
        numbers = line.split()
        if len(spoken) != len(numbers):
            what = f"{len(spoken)} utterances where {emotions.name} has {len(numbers)} emotions"
            raise InputError(texts, what, "mend the line that is wrong", row=place + 1)
        dialogue_id = f"{split}_dia{place}"
        utterances = []
        for turn, (text, number) in enumerate(zip(spoken, numbers, strict=True)):
            if number not in map(str, range(len(CLASSES))):
                what = f"unknown emotion {number!r}"
                raise InputError(emotions, what, f"use 0 to {len(CLASSES) - 1}", row=place + 1)
            if not text.strip():
                what = f"utterance {turn} is empty"
                problems.append(Problem(where=texts.name, row=place + 1, what=what, action="kept"))
            utterances.append(
                Utterance(
                    utterance_id=f"{dialogue_id}_utt{turn}",
                    dialogue_id=dialogue_id,
                    turn=turn,
                    speaker="AB"[turn % 2],
                    text=text.strip(),
                    emotion=CLASSES[int(number)],
                    split=split,
                )
            )
        if not utterances:
            raise InputError(texts, "a dialogue without utterances", "delete the line in both files", row=place + 1)
        dialogues.append(Dialogue(dialogue_id=dialogue_id, utterances=tuple(utterances)))
    return dialogues


def _lines(folder: Path, split: Split, name: str) -> tuple[Path, list[str]]:
    """A file and its lines, from the split's folder, or from its zip file."""
    packed, path = folder / f"{split}.zip", folder / split / name
    if path.exists() or not packed.exists():
        text = read_text(path, _REMEDY)
    else:
        path = packed / split / name
        try:
            with zipfile.ZipFile(packed) as archive:
                text = decoded(archive.read(f"{split}/{name}"), path)
        except (KeyError, zipfile.BadZipFile, OSError) as error:
            raise InputError(packed, f"it holds no readable {split}/{name} ({error})", _REMEDY) from None
    text = text.rstrip()
    return path, text.split("\n") if text else []
