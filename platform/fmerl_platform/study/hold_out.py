"""Classes that a zero-shot study holds out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fmerl.config import CellConfig
from fmerl.corpus import Corpus
from fmerl.errors import InputError

UNSEEN_CLASSES = "training.unseen_classes"
"""Field of a cell's configuration that says what it holds out."""


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """Classes held out, and the fate of their utterances."""

    classes: tuple[str, ...] = ()
    """`CLASS` for every corpus or `CORPUS=CLASS` for one; a corpus that none names holds out its unseen class."""
    utterances: Literal["context", "deleted"] = "context"

    def of(self, corpus: Corpus) -> tuple[str, ...]:
        """The corpus's unseen classes, in label order.

        Raises:
            InputError: No such class, none at all, one that test has no utterance of, or fewer than two left to learn.
        """
        asked = [name for place, name in map(_split, self.classes) if place in ("", corpus.name)]
        unseen = set(asked)
        if not unseen:
            if corpus.unseen_class is None:
                raise InputError(corpus.name, "its corpus.json names no unseen_class", "name the class with --unseen")
            unseen = {corpus.unseen_class}
        for name in unseen - set(corpus.classes):
            known = ", ".join(corpus.classes)
            raise InputError(f"--unseen {name}", f"no class of {corpus.name}", f"name one of {known}")
        if len(corpus.classes) - len(unseen) < 2:
            raise InputError("--unseen", f"it leaves {corpus.name} fewer than two classes", "hold fewer out")
        in_test = {
            item.emotion for dialogue in corpus.dialogues if dialogue.split == "test" for item in dialogue.utterances
        }
        for name in unseen - in_test:
            raise InputError(f"--unseen {name}", f"no test utterance of {corpus.name} has it", "hold another class out")
        return tuple(name for name in corpus.classes if name in unseen)

    def of_config(self, config: CellConfig, corpus: Corpus) -> CellConfig:
        """The configuration with the corpus's classes held out.

        Raises:
            InputError: As `of`.
        """
        return config.changed(training__unseen_classes=self.of(corpus), training__unseen_utterances=self.utterances)

    def check(self, corpora: Iterable[str]) -> None:
        """Raises InputError where a class is held out of a corpus that is not among these."""
        names = list(corpora)
        for place, name in map(_split, self.classes):
            if place and place not in names:
                what = f"no corpus of this study is called {place}"
                raise InputError(f"--unseen {place}={name}", what, f"name one of {', '.join(names)}")


def _split(asked: str) -> tuple[str, str]:
    """Split `CORPUS=CLASS` or `CLASS` into corpus, which may be empty, and class."""
    place, separator, name = asked.rpartition("=")
    return (place, name) if separator else ("", asked)
