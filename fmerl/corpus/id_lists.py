"""Lists of ids that a user supplies: dialogues to hold out, utterances to relabel."""

from __future__ import annotations

from pathlib import Path

from fmerl.corpus.readers.feature_pickles.reader import read_published
from fmerl.corpus.readers.iemocap.ids import LABELS
from fmerl.errors import InputError


def read_id_list(path: Path) -> frozenset[str]:
    """Read ids, one per line; blank lines and those that begin with `#` are skipped.

    Raises:
        InputError: No such file, not UTF-8, or no id in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path") from None
    except UnicodeDecodeError:
        raise InputError(path, "is no UTF-8 text", "write one id per line") from None
    ids = frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
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
