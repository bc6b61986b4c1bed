"""Corpora of users' own annotations: rows of any source, checked as a corpus folder's are, with classes and splits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from fmerl.config import DIMENSIONS
from fmerl.corpus.checks import checked_utterances, is_identifier
from fmerl.corpus.conversations import dialogues_of
from fmerl.corpus.dialogue import Corpus, Problem, Split
from fmerl.corpus.tables import Row
from fmerl.errors import InputError

VAD_RANGE = (0.0, 5.0)
"""Range where no utterance has scores: that of the paper's language model."""

_SPLITS: dict[str, Split] = {
    "training": "train",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "val": "validation",
    "valid": "validation",
}
"""Other names of splits."""

_HELD_OUT = 0.1
"""Share of the labelled dialogues that each of validation and test gets where the source has no splits."""


def corpus_of(
    rows: Sequence[Row],
    name: str,
    problems: list[Problem],
    *,
    vad_range: tuple[float, float] | None = None,
    order: Sequence[str] = (),
    split_field: str | None = None,
) -> Corpus:
    """The corpus of rows that have every column of a corpus's table.

    Classes are the emotions that are there, in the order given or by name. Where no row has a split, dialogues are
    dealt: by a hash of their ids, so that the same ones always fall alike.

    Args:
        rows: One per utterance, in any order.
        name: The corpus's; characters that no folder has become dashes.
        problems: Gets what is odd about the source as a whole.
        vad_range: Of the scores; needed where there are any.
        order: Classes in label order, some of which may not occur.
        split_field: Field that the splits were asked from by name.

    Raises:
        InputError: A row that is no utterance or clashes with another; fewer than two classes; splits of some rows
            only, or none where a field was named; too few dialogues to deal; scores without a range.
    """
    if not rows:
        raise InputError(name, "no utterance in all of it", "check that it is the right source")
    name = corpus_name(name)
    scored = next((row for row in rows if any(row[dimension] for dimension in DIMENSIONS)), None)
    if scored is not None and vad_range is None:
        raise scored.error("it has scores, whose range is not known", "give it: --vad-range LOW HIGH")
    classes = _classes(rows, order, name, problems)
    header = Corpus(name=name, classes=classes, vad_range=vad_range or VAD_RANGE, dialogues=())
    utterances = checked_utterances(_with_splits(rows, name, problems, split_field), header)
    return Corpus(name=name, classes=classes, vad_range=header.vad_range, dialogues=dialogues_of(utterances))


def corpus_name(name: str) -> str:
    """The name with dashes for all that cannot name a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "corpus"


def _classes(rows: Sequence[Row], order: Sequence[str], name: str, problems: list[Problem]) -> tuple[str, ...]:
    path = rows[0].path
    found: dict[str, Row] = {}
    for row in rows:
        if row["emotion"]:
            found.setdefault(row["emotion"], row)
    for emotion, row in found.items():
        if not is_identifier(emotion):
            raise row.error(f"emotion {emotion!r} has white space around it", "mend the name")
    if len(found) < 2:
        what = f"{'one emotion' if found else 'no emotion'} in all of it"
        raise InputError(path, what, "check which field holds the emotions: at least two are needed")
    listed = [emotion for emotion in order if emotion in found]
    classes = (*listed, *sorted(found.keys() - set(listed)))
    folded = {emotion.casefold(): emotion for emotion in reversed(classes)}
    for emotion in classes:
        if (twin := folded[emotion.casefold()]) != emotion:
            what = f"classes {twin} and {emotion} differ in their letters' case alone"
            action = f"kept apart; --classes {emotion}={twin} makes them one"
            problems.append(Problem(where=name, row=0, what=what, action=action, on_screen=True))
    return classes


def _with_splits(rows: Sequence[Row], name: str, problems: list[Problem], field: str | None) -> list[Row]:
    given = next((row for row in rows if row["split"]), None)
    if given is None and field is not None:
        raise InputError(rows[0].path, f"nothing has the field {field}", "name the field of the splits: --split")
    if given is None:
        splits = _dealt(rows)
        what, action = "the source has no splits", "dialogues are dealt by a hash of their ids, 8 to 1 to 1"
        problems.append(Problem(where=name, row=0, what=what, action=action, on_screen=True))
        return [_replaced(row, splits[row["dialogue_id"]]) for row in rows]
    for row in rows:
        if not row["split"]:
            raise row.error(f"no split, which row {given.number} has", "give every utterance one, or none at all")
    return [_replaced(row, _SPLITS.get(row["split"].lower(), row["split"])) for row in rows]


def _dealt(rows: Sequence[Row]) -> dict[str, Split]:
    path = rows[0].path
    labelled: dict[str, bool] = {}
    for row in rows:
        labelled[row["dialogue_id"]] = labelled.get(row["dialogue_id"], False) or bool(row["emotion"])
    order = sorted((dialogue for dialogue, has in labelled.items() if has), key=_hash)
    if len(order) < 3:
        what = f"{len(order)} labelled dialogues, to be dealt to three splits"
        raise InputError(path, what, "give more dialogues, or a field of splits")
    count = max(1, round(_HELD_OUT * len(order)))
    splits: dict[str, Split] = dict.fromkeys(labelled, "train")
    splits |= dict.fromkeys(order[:count], "test")
    splits |= dict.fromkeys(order[count : 2 * count], "validation")
    return splits


def _hash(dialogue_id: str) -> bytes:
    return hashlib.sha256(dialogue_id.encode()).digest()


def _replaced(row: Row, split: str) -> Row:
    return Row(row.path, row.number, {**row.cells, "split": split})
