"""Folds of a corpus: each tests dialogues that its cells do not train on; together they test every utterance once.

The corpus's own splits play no part. Nothing is drawn: the same corpus has the same folds on any machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fmerl.card import recipe_digest
from fmerl.corpus.dialogue import Corpus, Dialogue, Split
from fmerl.corpus.inspection import repeated_ids
from fmerl.corpus.readers.iemocap.ids import session_of
from fmerl.corpus.tables import read_csv
from fmerl.errors import InputError

VALIDATION_SHARE = 0.1
"""Share of a fold's other dialogues that select the epoch."""
SESSION, SPEAKER = "session", "speaker"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Splits of a corpus's dialogues."""

    name: str
    split: Mapping[str, Split]
    """Split of every dialogue, by id."""
    speaker: str | None = None
    """Speaker whose utterances alone are tested, the others' being context only; None tests all."""

    def digest(self) -> str:
        """SHA-256 of what it tests and selects on, whatever its name."""
        return recipe_digest({"split": dict(self.split), "speaker": self.speaker})


def check_scheme(scheme: str) -> None:
    """Refuse what no folds can be made by, whatever the corpus."""
    number = int(scheme) if scheme.isdecimal() else None
    if scheme not in (SESSION, SPEAKER) and not (number or 0) > 1 and not Path(scheme).is_file():
        what = "fewer than two" if number is not None else "neither session, speaker, a number nor a file"
        raise InputError(f"--folds {scheme}", what, "give one of these; a file is a CSV of dialogue_id and fold")


def absolute_scheme(scheme: str) -> str:
    """The scheme, its file, if it is one, as an absolute path."""
    return scheme if scheme in (SESSION, SPEAKER) or scheme.isdecimal() else str(Path(scheme).resolve())


def folds_of(corpus: Corpus, scheme: str) -> tuple[Fold, ...]:
    """Folds by name.

    Args:
        corpus: Dialogues of all splits.
        scheme: `session` leaves one session of IEMOCAP out, `speaker` one speaker (with every dialogue they speak in),
            a number deals the dialogues into so many folds; else the path of a CSV with `dialogue_id` and `fold`.

    Raises:
        InputError: No such folds of this corpus, or a fold that leaves nothing to train, to select or to test on.
    """
    check_scheme(scheme)
    if scheme == SPEAKER:
        return tuple(_leave_speaker_out(corpus, name) for name in _speakers(corpus))
    if scheme == SESSION:
        of_dialogue = {dialogue.dialogue_id: _session(corpus, dialogue) for dialogue in corpus.dialogues}
    elif scheme.isdecimal():
        of_dialogue = _dealt(corpus, int(scheme))
    else:
        of_dialogue = _read(Path(scheme), corpus)
    names = sorted(set(of_dialogue.values()), key=lambda name: (len(name), name))
    return tuple(
        _fold(corpus, name, [dialogue for dialogue, fold in of_dialogue.items() if fold == name]) for name in names
    )


def repeats_in_folds(corpus: Corpus, folds: Collection[Fold]) -> tuple[str, ...]:
    """Ids of the utterances whose text is, letter by letter, that of a labelled train utterance of the fold that tests
    them.
    """
    spoken = list(corpus.utterances())
    found: set[str] = set()
    for fold in folds:
        train = (item for item in spoken if fold.split[item.dialogue_id] == "train")
        tested = (item for item in spoken if fold.split[item.dialogue_id] == "test")
        found.update(repeated_ids(train, (item for item in tested if fold.speaker in (None, item.speaker))))
    return tuple(item.utterance_id for item in spoken if item.utterance_id in found)


def _speakers(corpus: Corpus) -> list[str]:
    """Speakers with a labelled utterance."""
    return sorted({utterance.speaker for utterance in corpus.utterances() if utterance.emotion is not None})


def _leave_speaker_out(corpus: Corpus, speaker: str) -> Fold:
    test = [
        dialogue.dialogue_id
        for dialogue in corpus.dialogues
        if any(utterance.speaker == speaker for utterance in dialogue.utterances)
    ]
    return _fold(corpus, speaker, test, speaker)


def _session(corpus: Corpus, dialogue: Dialogue) -> str:
    session = session_of(dialogue.dialogue_id)
    if session is None:
        what = f"{dialogue.dialogue_id} of {corpus.name} is no dialogue of IEMOCAP, whose ids begin with their session"
        raise InputError(f"--folds {SESSION}", what, "give a CSV of dialogue_id and fold in its place")
    return f"Session{session}"


def _dealt(corpus: Corpus, count: int) -> dict[str, str]:
    """Fold of each dialogue, dealt in turn in the order of a hash; dialogues without a label come last."""
    if count > (most := sum(map(_labelled, corpus.dialogues))):
        raise InputError(f"--folds {count}", f"{corpus.name} has {most} labelled dialogues", "ask for fewer folds")
    order = sorted(corpus.dialogues, key=lambda dialogue: (not _labelled(dialogue), _hash("", dialogue.dialogue_id)))
    return {dialogue.dialogue_id: str(place % count + 1) for place, dialogue in enumerate(order)}


def _read(path: Path, corpus: Corpus) -> dict[str, str]:
    known = {dialogue.dialogue_id for dialogue in corpus.dialogues}
    found: dict[str, str] = {}
    for row in read_csv(path, ("dialogue_id", "fold")):
        name, fold = row["dialogue_id"], row["fold"]
        if name not in known:
            raise row.error(f"{corpus.name} has no dialogue {name!r}", "leave the row out")
        if name in found:
            raise row.error(f"dialogue {name!r} stands twice", "keep one of the rows")
        if not fold or fold != fold.strip():
            raise row.error(f"fold {fold!r} is empty or has white space around it", "mend the name")
        found[name] = fold
    if absent := sorted(known - found.keys()):
        what = f"{len(absent)} of {len(known)} dialogues of {corpus.name} have no fold, the first is {absent[0]}"
        raise InputError(path, what, "add a row for each")
    return found


def _fold(corpus: Corpus, name: str, test: Collection[str], speaker: str | None = None) -> Fold:
    """The fold that tests these dialogues; validation is drawn from the others by a hash of their ids.

    Raises:
        InputError: No label to test, or fewer than two dialogues with a label besides.
    """
    tested = set(test)
    others = [dialogue.dialogue_id for dialogue in corpus.dialogues if dialogue.dialogue_id not in tested]
    usable = [item.dialogue_id for item in corpus.dialogues if _labelled(item) and item.dialogue_id not in tested]
    if not any(_labelled(dialogue) for dialogue in corpus.dialogues if dialogue.dialogue_id in tested):
        raise InputError(f"fold {name} of {corpus.name}", "no labelled utterance to test", "join it with another fold")
    if len(usable) < 2:
        what = f"it leaves {len(usable)} labelled dialogues to train and to select on"
        raise InputError(f"fold {name} of {corpus.name}", what, "choose folds that leave more dialogues to train on")
    usable.sort(key=lambda dialogue: _hash(name, dialogue))
    validation = set(usable[: max(1, round(VALIDATION_SHARE * len(usable)))])
    split: dict[str, Split] = dict.fromkeys(tested, "test")
    split |= {dialogue: "validation" if dialogue in validation else "train" for dialogue in others}
    return Fold(name=name, split=split, speaker=speaker)


def _labelled(dialogue: Dialogue) -> bool:
    return any(utterance.emotion is not None for utterance in dialogue.utterances)


def _hash(salt: str, dialogue_id: str) -> bytes:
    return hashlib.sha256(f"{salt}\0{dialogue_id}".encode()).digest()
