"""Lists of ids that a user supplies: dialogues to hold out, utterances to relabel."""

from __future__ import annotations

from pathlib import Path

from fmerl.corpus.readers.feature_pickles.reader import read_published
from fmerl.corpus.readers.iemocap.ids import LABELS
from fmerl.errors import InputError
from fmerl.user_text import read_text


def read_id_list(path: Path) -> frozenset[str]:
    """Read ids, one per line; blank lines and those that begin with `#` are skipped.

    Raises:
        InputError: See `read_text`; or no id in it.
    """
    lines = (line.strip() for line in read_text(path).splitlines())
    ids = frozenset(line for line in lines if line and not line.startswith("#"))
    if not ids:
        raise InputError(path, "holds no id", "write one id per line")
    return ids


def read_happy_ids(path: Path) -> frozenset[str]:
    """Read ids for the protocol `standard-7433`: a list, or the utterances that a feature pickle (`*.pkl`) calls happy.

    Raises:
        InputError: See `read_id_list` and `read_published`.
    """
    if path.suffix not in (".pkl", ".pickle"):
        return read_id_list(path)
    corpus = read_published(path).corpus
    return frozenset(item.utterance_id for item in corpus.utterances() if item.emotion == LABELS["hap"])
