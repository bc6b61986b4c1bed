"""Folds of the training split, by dialogue: for encoders that have not seen the labels of what they encode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fmerl.corpus import Corpus
from fmerl.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One of several equal parts of train's dialogues.

    Raises:
        ValueError: Fewer than two folds, or no such one.
    """

    number: int
    """Which one, from 0."""
    of: int
    """How many there are."""

    def __post_init__(self) -> None:
        if self.of < 2 or not 0 <= self.number < self.of:
            raise ValueError(f"there is no fold {self.number} of {self.of}")

    def dialogues(self, corpus: Corpus) -> set[str]:
        """Ids of its dialogues."""
        return {name for name, fold in folds_of(corpus, self.of).items() if fold == self.number}


def folds_of(corpus: Corpus, count: int) -> dict[str, int]:
    """Fold of each training dialogue: dealt in turn in the order of a hash of their ids.

    Raises:
        InputError: Fewer dialogues than folds.
    """
    train = [dialogue.dialogue_id for dialogue in corpus.dialogues if dialogue.split == "train"]
    if len(train) < count:
        raise InputError("folds", f"{count} of {len(train)} training dialogues", "ask for fewer folds")
    dealt = sorted(train, key=lambda name: hashlib.sha256(name.encode()).digest())
    return {name: place % count for place, name in enumerate(dealt)}
