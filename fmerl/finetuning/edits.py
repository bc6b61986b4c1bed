"""Edits of an utterance's words after EDA (Wei and Zou 2019): CLED's ablations of its augmentation.

Of an utterance of l words, with a share a: `delete` takes each word out with probability a, but never all; `swap`
exchanges two words, `insert` puts a synonym of one somewhere, `replace` puts a synonym in its place, each max(1, a · l)
times. An utterance is edited once, as there, and by its own words alone: turns around it and its speaker stay.
"""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from fmerl.errors import InputError
from fmerl.features.encoder import Item
from fmerl.finetuning.packing import Pass, places_of
from fmerl.user_text import read_text

Edit = Literal["delete", "swap", "insert", "replace"]
Synonyms = Mapping[str, Sequence[str]]
"""Words that may stand for a word, by the word in small letters."""


@dataclass(frozen=True)
class Editor:
    """Edits utterances one after the other.

    Args:
        edit: Kind of edit.
        share: Share of the words, in (0, 1).
        synonyms: For `insert` and `replace`; words that are not in it stay.
        draw: Source of chance.
    """

    edit: Edit
    share: float
    synonyms: Synonyms
    draw: random.Random

    def item(self, item: Item, own: str) -> Item:
        """What is read of an utterance, edited.

        Args:
            item: What is read as it is.
            own: The utterance's text, which that of the item ends with unless it is blank.
        """
        words = own.split()
        if not words or not item.text:
            return item
        return replace(item, text=item.text.removesuffix(own) + " ".join(self.words(words)))

    def words(self, words: Sequence[str]) -> list[str]:
        """Words of an utterance, edited; never none of one or more."""
        times = max(1, int(self.share * len(words)))
        match self.edit:
            case "delete":
                return [word for word in words if self.draw.random() >= self.share] or [self.draw.choice(words)]
            case "swap":
                return self._swapped(list(words), times if len(words) > 1 else 0)
            case "insert":
                return self._inserted(list(words), times)
            case "replace":
                return self._replaced(list(words), times)

    def _swapped(self, words: list[str], times: int) -> list[str]:
        for _ in range(times):
            one, two = self.draw.sample(range(len(words)), 2)
            words[one], words[two] = words[two], words[one]
        return words

    def _inserted(self, words: list[str], times: int) -> list[str]:
        known = list(self._known(words).values())
        for _ in range(times if known else 0):
            synonym = self.draw.choice(self.draw.choice(known))
            words.insert(self.draw.randint(0, len(words)), synonym)
        return words

    def _replaced(self, words: list[str], times: int) -> list[str]:
        known = self._known(words)
        for place in self.draw.sample(list(known), min(times, len(known))):
            bare = _bare(words[place])
            before, _, after = words[place].partition(bare)
            synonym = self.draw.choice(known[place])
            words[place] = before + (synonym[0].upper() + synonym[1:] if bare.istitle() else synonym) + after
        return words

    def _known(self, words: Sequence[str]) -> dict[int, Sequence[str]]:
        """Synonyms of every word that has some, by its place."""
        keys = (_bare(word).lower() for word in words)
        return {place: self.synonyms[key] for place, key in enumerate(keys) if key in self.synonyms}


def read_synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a table of synonyms: a group a line, separated by commas; a word of several groups has all their words.

    Raises:
        InputError: A file that cannot be read, or a line with fewer than two words.
    """
    found: dict[str, dict[str, None]] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        group = [word for word in (part.strip() for part in line.split(",")) if word]
        if not group:
            continue
        if len(set(map(str.lower, group))) < 2:
            raise InputError(path, f"{group[0]} has no synonym", "give a group of two or more a line", row=number)
        for word in group:
            others = (other for other in group if other.lower() != word.lower())
            found.setdefault(word.lower(), {}).update(dict.fromkeys(others))
    if not found:
        raise InputError(path, "no group of synonyms", "give one a line, separated by commas")
    return {word: tuple(others) for word, others in found.items()}


def _bare(word: str) -> str:
    """A word without the signs around it."""
    return word.strip(string.punctuation)


@dataclass(frozen=True, eq=False)
class EditedPass:
    """Inputs of one forward pass, and the same utterances edited."""

    spoken: Pass
    edited: Pass
    places: Tensor
    """Place in `edited` of each utterance of `spoken`, [n]."""

    @classmethod
    def of(cls, spoken: Pass, edited: Pass) -> EditedPass:
        return cls(spoken, edited, places_of(spoken.rows.tolist(), edited.rows))

    @property
    def rows(self) -> Tensor:
        return self.spoken.rows

    def to(self, device: torch.device) -> EditedPass:
        return EditedPass(self.spoken.to(device), self.edited.to(device), self.places.to(device))

    def views(self, encoder: nn.Module) -> list[Tensor]:
        """States of the utterances as they are and edited, each [n, D], in the order of `rows`."""
        return [self.spoken.vectors(encoder), self.edited.vectors(encoder)[self.places]]
