"""Meaning of IEMOCAP's ids and labels (Busso et al. 2008), and the split that the field tests on.

`Ses01F_impro05_M019` is the utterance M019, by the man, of the dialogue `Ses01F_impro05` of session 1, in which the
woman wears the markers.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from fmerl.corpus.dialogue import Side, Split
from fmerl.errors import InputError

NAME = "iemocap"

LABELS = {
    "hap": "happy",
    "sad": "sad",
    "neu": "neutral",
    "ang": "angry",
    "exc": "excited",
    "fru": "frustrated",
}
"""Raw label to class, in the label order of the published feature pickles."""

CLASSES = tuple(LABELS.values())

VAD_RANGE = (1.0, 5.0)

UNSEEN_CLASS = "happy"

COSMIC_VALIDATION = frozenset(
    {
        "Ses01M_impro01",
        "Ses01M_script03_1",
        "Ses02F_impro02",
        "Ses02F_impro07",
        "Ses02M_script01_2",
        "Ses03F_impro01",
        "Ses03M_impro02",
        "Ses03M_impro08a",
        "Ses03M_script02_2",
        "Ses03M_script03_2",
        "Ses04F_impro07",
        "Ses04F_script02_1",
    }
)
"""The 12 of the 120 training dialogues that COSMIC (Ghosal et al. 2020) holds out, 647 utterances of all six classes.

From its published split, `COSMIC/feature-extraction/iemocap/iemocap.pkl` of declare-lab/conv-emotion.
"""

TEST_SESSION = 5

_DIALOGUE = re.compile(r"Ses0([1-5])([FM])_(?:impro|script)\w+", re.ASCII)
_UTTERANCE = re.compile(r"(Ses0[1-5][FM]_(?:impro|script)\w+)_([FM])\w+", re.ASCII)


def session_of(dialogue_id: str) -> int | None:
    """Session of a dialogue, 1 to 5; None if it is no dialogue id."""
    match = _DIALOGUE.fullmatch(dialogue_id)
    return int(match[1]) if match else None


def gender_of(utterance_id: str, dialogue_id: str) -> str | None:
    """Gender of the speaker, `F` or `M`; None if it is no utterance id of that dialogue."""
    match = _UTTERANCE.fullmatch(utterance_id)
    return match[2] if match and match[1] == dialogue_id else None


def speaker_name(dialogue_id: str, gender: str) -> str:
    """Name of one of the ten actors, such as `Ses01F`."""
    return dialogue_id[:5] + gender


def picture_side(dialogue_id: str, gender: str) -> Side:
    """Half of the dialogue's video that shows an actor: the one with the markers is on the left."""
    return "left" if dialogue_id[5] == gender else "right"


def split_of(dialogue_id: str, validation: Collection[str]) -> Split:
    """Split of a dialogue: session 5 is for testing, `validation` is held out of the rest."""
    if session_of(dialogue_id) == TEST_SESSION:
        return "test"
    return "validation" if dialogue_id in validation else "train"


def check_validation(where: str, validation: Collection[str], training: Collection[str]) -> None:
    """Raise InputError unless validation dialogues are some, and not all, of the training dialogues."""
    absent = sorted(set(validation) - set(training))
    if absent:
        what = f"{len(absent)} of {len(validation)} validation dialogues are no training dialogues, such as {absent[0]}"
        raise InputError(where, what, "list training dialogues of this release with --validation")
    if not validation or len(set(validation)) == len(set(training)):
        what = f"{len(set(validation))} of {len(set(training))} training dialogues are for validation"
        raise InputError(where, what, "list some of them with --validation")
