"""Dialogues, speakers, labels, texts and splits of a published feature pickle."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fmerl.corpus.dialogue import Corpus, Dialogue, Problem, Split, Utterance
from fmerl.corpus.readers.cp1252 import repair_cp1252
from fmerl.corpus.readers.feature_pickles.formats import IEMOCAP, PER_UTTERANCE, SPLIT_LISTS, PublishedFormat
from fmerl.corpus.readers.iemocap import ids as iemocap_ids
from fmerl.errors import InputError

_REMEDY = "take the pickle that SDT publishes, or one of its layout"

_MELD_KEYS: tuple[tuple[str, range], ...] = (
    ("train", range(1039)),
    ("dev", range(1039, 1153)),
    ("test", range(1153, 1433)),
)
"""Dialogue ids of MELD's three files, one after the other; train dialogue 60 is absent."""


def checked_lengths(path: Path, items: Mapping[str, Any]) -> dict[Any, int]:
    """Utterances of each dialogue, in the order of `videoIDs`.

    Raises:
        InputError: The dicts differ in their dialogues or in a dialogue's length, or hold none.
    """
    for name in PER_UTTERANCE:
        if not isinstance(items[name], dict):
            raise InputError(path, f"{name} is a {type(items[name]).__name__}, not a dict by dialogue id", _REMEDY)
        for key in items["videoIDs"]:
            if key not in items[name]:
                raise InputError(path, f"{name} lacks dialogue {key!r} of videoIDs", _REMEDY)
        for key in items[name]:
            if key not in items["videoIDs"]:
                raise InputError(path, f"{name} holds dialogue {key!r}, which videoIDs lacks", _REMEDY)
    lengths = {key: _length(path, f"videoIDs[{key!r}]", value) for key, value in items["videoIDs"].items()}
    if not lengths:
        raise InputError(path, "videoIDs is empty", _REMEDY)
    for name in PER_UTTERANCE:
        for key, length in lengths.items():
            found = _length(path, f"{name}[{key!r}]", items[name][key])
            if found != length or found == 0:
                raise InputError(path, f"{name}[{key!r}] has {found} entries, videoIDs[{key!r}] {length}", _REMEDY)
    return lengths


def corpus_of(
    path: Path,
    published: PublishedFormat,
    items: Mapping[str, Any],
    validation: Collection[str] | None,
    problems: list[Problem],
) -> Corpus:
    """The corpus of a pickle whose lengths were checked, dialogues in the order of `videoIDs`.

    Raises:
        InputError: Ids, labels, speakers, texts or splits that are not those of the format.
    """
    splits = _splits(path, published, items, validation)
    row = 1
    found: dict[str, Any] = {}
    dialogues = []
    for key, split in splits.items():
        name = key if published is IEMOCAP else _meld_dialogue(key)
        utterances = []
        for turn in range(len(items["videoIDs"][key])):
            entry = {item: items[item][key][turn] for item in ("videoIDs", "videoSpeakers", "videoLabels")}
            place = f"dialogue {key!r}, utterance {turn + 1}"
            utterance = Utterance(
                utterance_id=_utterance_id(path, published, name, entry["videoIDs"], place),
                dialogue_id=name,
                turn=turn,
                speaker=_speaker(path, published, name, entry["videoSpeakers"], place),
                text=_text(path, items["videoSentence"][key][turn], place, row, problems),
                emotion=_emotion(path, published, entry["videoLabels"], place),
                split=split,
            )
            if (first := found.setdefault(utterance.utterance_id, place)) != place:
                raise InputError(path, f"{place} has the id of {first}, {utterance.utterance_id!r}", _REMEDY)
            if published is IEMOCAP:
                _note_gender(path, utterance, row, problems)
            utterances.append(utterance)
            row += 1
        dialogues.append(Dialogue(dialogue_id=name, utterances=tuple(utterances)))
    return Corpus(
        name=published.corpus,
        classes=published.classes,
        vad_range=published.vad_range,
        dialogues=tuple(dialogues),
        unseen_class=published.unseen_class,
    )


def _length(path: Path, where: str, value: Any) -> int:
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
        return len(value)
    raise InputError(path, f"{where} is a {type(value).__name__}, not a list by utterance", _REMEDY)


def _splits(
    path: Path, published: PublishedFormat, items: Mapping[str, Any], validation: Collection[str] | None
) -> dict[Any, Split]:
    """Split of every dialogue, in the order of `videoIDs`."""
    listed: dict[Any, str] = {}
    for name in SPLIT_LISTS:
        if not isinstance(items[name], list | tuple | set | frozenset | np.ndarray):
            raise InputError(path, f"{name} is a {type(items[name]).__name__}, not a list of dialogues", _REMEDY)
        for key in np.asarray(items[name]).tolist() if isinstance(items[name], np.ndarray) else items[name]:
            if not isinstance(key, str | int) or key not in items["videoIDs"]:
                raise InputError(path, f"{name} names dialogue {key!r}, which videoIDs lacks", _REMEDY)
            if listed.setdefault(key, name) != name:
                raise InputError(path, f"dialogue {key!r} is in trainVid and in testVid", _REMEDY)
    for key in items["videoIDs"]:
        if key not in listed:
            raise InputError(path, f"dialogue {key!r} is neither in trainVid nor in testVid", _REMEDY)
        _check_key(path, published, key, listed[key])
    training = {str(key) for key, name in listed.items() if name == "trainVid"}
    if validation is None:
        dev = {str(key) for key in _MELD_KEYS[1][1]} & training
        validation = iemocap_ids.COSMIC_VALIDATION if published is IEMOCAP else dev
    iemocap_ids.check_validation(str(path), validation, training)
    return {
        key: "test" if listed[key] == "testVid" else "validation" if str(key) in validation else "train"
        for key in items["videoIDs"]
    }


def _check_key(path: Path, published: PublishedFormat, key: Any, listed: str) -> None:
    """Refuse a dialogue whose id says another corpus, or the other split."""
    if published is IEMOCAP:
        session = iemocap_ids.session_of(key) if isinstance(key, str) else None
        tests = session == iemocap_ids.TEST_SESSION
        known = session is not None
    else:
        known = isinstance(key, int) and any(key in keys for _, keys in _MELD_KEYS)
        tests = known and key in _MELD_KEYS[2][1]
    if not known:
        raise InputError(path, f"{key!r} is no dialogue id of {published.corpus}'s pickle", _REMEDY)
    if tests != (listed == "testVid"):
        raise InputError(path, f"{listed} names {key!r}, which is of the other split", _REMEDY)


def _meld_dialogue(key: int) -> str:
    """MELD's own id, as in `read_meld`."""
    split, keys = next((split, keys) for split, keys in _MELD_KEYS if key in keys)
    return f"{split}_dia{key - keys.start}"


def _utterance_id(path: Path, published: PublishedFormat, dialogue: str, value: Any, place: str) -> str:
    if published is IEMOCAP:
        if isinstance(value, str) and iemocap_ids.gender_of(value, dialogue) is not None:
            return value
    elif isinstance(value, int | np.integer | str) and f"{value}".isalnum():
        return f"{dialogue}_turn{value}"
    raise InputError(path, f"videoIDs, {place}: {_shown(value)} is no utterance id", _REMEDY)


def _speaker(path: Path, published: PublishedFormat, dialogue: str, value: Any, place: str) -> str:
    """An actor of IEMOCAP from `M`, `F` or SDT's one-hots of these; a speaker of MELD from the place of the one."""
    index = "MF".index(value) if isinstance(value, str) and value in ("M", "F") else _place_of_one(value)
    if index is None or (published is IEMOCAP and index > 1):
        raise InputError(path, f"videoSpeakers, {place}: {_shown(value)} is neither 'M', 'F' nor one-hot", _REMEDY)
    if published is IEMOCAP:
        return iemocap_ids.speaker_name(dialogue, "MF"[index])
    return f"speaker {index + 1}"


def _place_of_one(value: Any) -> int | None:
    try:
        row = np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    one_hot = row.ndim == 1 and (row == 1).sum() == 1 and (row != 0).sum() == 1
    return int(np.argmax(row)) if one_hot else None


def _emotion(path: Path, published: PublishedFormat, value: Any, place: str) -> str:
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= value < len(published.classes):
        return published.classes[value]
    what = f"videoLabels, {place}: {_shown(value)} is no index of {len(published.classes)} classes"
    raise InputError(path, what, _REMEDY)


def _text(path: Path, value: Any, place: str, row: int, problems: list[Problem]) -> str:
    if not isinstance(value, str):
        raise InputError(path, f"videoSentence, {place}: a {type(value).__name__}, not a text", _REMEDY)
    try:
        text = repair_cp1252(value)
        text.encode("utf-8")
    except UnicodeDecodeError:
        what, text = f"{place}: characters that are no cp1252", value
        problems.append(Problem(where=path.name, row=row, what=what, action="kept as they are"))
    except UnicodeEncodeError:
        raise InputError(path, f"videoSentence, {place}: {_shown(value)} is no Unicode text", _REMEDY) from None
    if text != value:
        what = f"{place}: cp1252 bytes in the text"
        problems.append(Problem(where=path.name, row=row, what=what, action=f"read as {text!r}"))
    if not text.strip():
        problems.append(Problem(where=path.name, row=row, what=f"{place}: empty text", action="kept"))
    return text


def _shown(value: Any) -> str:
    """A value of the file in one short line."""
    return " ".join(reprlib.repr(value).split())


def _note_gender(path: Path, utterance: Utterance, row: int, problems: list[Problem]) -> None:
    gender = iemocap_ids.gender_of(utterance.utterance_id, utterance.dialogue_id)
    if gender is not None and not utterance.speaker.endswith(gender):
        what = f"{utterance.utterance_id} is spoken by {utterance.speaker} in videoSpeakers"
        problems.append(Problem(where=path.name, row=row, what=what, action="kept as in videoSpeakers"))
