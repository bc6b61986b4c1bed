"""Utterances to label, and the calls for them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from fmerl.corpus import Corpus, Dialogue, Split, Utterance, read_corpus
from fmerl.supervision.answers import Mode
from fmerl.supervision.vad_regression import EMOBANK_RANGE, read_emobank
from fmerl_platform.asking.plan import CallPlan
from fmerl_platform.asking.question import Call, Questions, Samples

_EMOBANK_SPLITS: dict[str, Split] = {"train": "train", "dev": "validation", "test": "test"}


def read_source(path: Path) -> Corpus:
    """A corpus folder, or EmoBank's CSV file as a corpus of single sentences without emotions.

    Raises:
        InputError: It is neither.
    """
    return _emobank_corpus(path) if path.suffix == ".csv" else read_corpus(path)


def _emobank_corpus(path: Path) -> Corpus:
    emobank = read_emobank(path)
    utterances = (
        Utterance(
            utterance_id=f"emobank_{row}",
            dialogue_id=f"emobank_{row}",
            turn=0,
            speaker="writer",
            text=text,
            emotion=None,
            split=_EMOBANK_SPLITS[str(split)],
            valence=float(vad[0]),
            arousal=float(vad[1]),
            dominance=float(vad[2]),
        )
        for row, (text, split, vad) in enumerate(zip(emobank.texts, emobank.splits, emobank.vad, strict=True))
    )
    dialogues = tuple(Dialogue(dialogue_id=item.dialogue_id, utterances=(item,)) for item in utterances)
    return Corpus(name="emobank", classes=(), vad_range=EMOBANK_RANGE, dialogues=dialogues)


def select(corpus: Corpus, splits: Sequence[Split], limit: int | None) -> list[Utterance]:
    """Utterances of these splits; a larger limit keeps those of a smaller one."""
    of_splits = [utterance for utterance in corpus.utterances() if utterance.split in splits]
    return of_splits if limit is None else sample(of_splits, limit)


def sample(utterances: Sequence[Utterance], size: int) -> list[Utterance]:
    """Sample of `size` utterances, the same each time, in their order."""
    kept = {item.utterance_id for item in sorted(utterances, key=_drawn)[:size]}
    return [utterance for utterance in utterances if utterance.utterance_id in kept]


def _drawn(utterance: Utterance) -> bytes:
    return hashlib.sha256(utterance.utterance_id.encode()).digest()


@dataclass(frozen=True, kw_only=True)
class Plan(CallPlan):
    """All calls of a label set, by purpose; calls of the same key are made once."""

    utterances: Sequence[Utterance]
    scores: dict[tuple[str, str], Samples]
    """Calls by utterance id and dimension; an empty text has none."""
    retest: dict[tuple[str, str], Samples]
    """Repeated calls for some utterances, likewise."""
    descriptions: dict[tuple[str, str], Call]
    """Calls by emotion and dimension."""

    @classmethod
    def of(
        cls,
        utterances: Sequence[Utterance],
        questions: Questions,
        emotions: Iterable[str],
        retest: int,
        samples: int = 1,
    ) -> Plan:
        """Plan the labels of `utterances`, each asked for `samples` times, and the descriptions of `emotions`."""
        spoken = [utterance for utterance in utterances if utterance.text.strip()]
        return cls(
            utterances=utterances,
            scores=questions.scores(spoken, range(samples)),
            retest=questions.scores(sample(spoken, retest), range(samples, 2 * samples)),
            descriptions=questions.descriptions(emotions),
        )

    @cached_property
    def calls(self) -> dict[str, Call]:
        """Calls by key."""
        asked = chain.from_iterable((*self.scores.values(), *self.retest.values()))
        return {call.key: call for call in chain(self.descriptions.values(), asked)}


def first_call(corpus: Corpus, splits: Sequence[Split], questions: Questions) -> Callable[[Mode], Call]:
    """Maker of a call that every label set of these splits needs, whatever its limit."""
    spoken = [utterance for utterance in select(corpus, splits, None) if utterance.text.strip()]
    text = min(spoken, key=_drawn).text
    return lambda mode: questions.decoded(mode).score(text, questions.prompts.dimensions[0])
