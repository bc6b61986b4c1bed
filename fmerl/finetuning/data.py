"""Inputs and targets of a corpus for one encoder.

Shapes: U utterances of the corpus, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmerl.config import DIMENSIONS
from fmerl.corpus import Corpus, Utterance
from fmerl.corpus.dialogue import Split
from fmerl.errors import InputError
from fmerl.features.encoder import Item
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.folds import Fold
from fmerl.finetuning.inputs import InputBuilder, TokenSequence, tuning_items
from fmerl.training.dataset import CONTEXT_ONLY
from fmerl.training.evaluation import Predictions, prediction_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class TuningData:
    """A corpus as an encoder reads it, in the corpus's order."""

    classes: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    items: Sequence[Item]
    """All that inputs are made of, [U]."""
    sequences: Sequence[TokenSequence]
    """Inputs, [U]."""
    gold: NDArray[np.int64]
    """Class index or `CONTEXT_ONLY`, [U]."""
    learned: NDArray[np.int64]
    """The same without classes held out and without the fold left out: what training and selection may see, [U]."""
    context_turns: int
    """Most turns back that a system may read."""
    builder: InputBuilder
    """Makes inputs of the same length of other texts."""

    @cached_property
    def alone(self) -> Sequence[TokenSequence]:
        """Each turn by itself, without a tag, [U]."""
        return self.builder.alone([each.text for each in self.utterances])

    @cached_property
    def own_earlier(self) -> tuple[tuple[int, ...], ...]:
        """Rows of the same speaker's earlier turns of the dialogue, oldest first, [U]."""
        spoken: dict[tuple[str, str], list[int]] = {}
        found = []
        for row, each in enumerate(self.utterances):
            turns = spoken.setdefault((each.dialogue_id, each.speaker), [])
            found.append(tuple(other for other in turns if row - other <= self.context_turns))
            turns.append(row)
        return tuple(found)

    def next_turns(self) -> NDArray[np.int64]:
        """Label that training may see of each turn and of the turn after it in its dialogue, [pairs, 2]."""
        follows = [one.dialogue_id == two.dialogue_id for one, two in pairwise(self.utterances)]
        pairs = np.stack([self.learned[:-1], self.learned[1:]], axis=1)[np.array(follows, dtype=bool)]
        train = np.array([each.split == "train" for each in self.utterances[1:]], dtype=bool)[follows]
        return pairs[train & (pairs != CONTEXT_ONLY).all(1)]

    def rows(self, split: Split) -> NDArray[np.int64]:
        """Rows of a split."""
        return np.array([row for row, each in enumerate(self.utterances) if each.split == split], dtype=np.int64)

    def train_rows(self) -> NDArray[np.int64]:
        """Rows of train that have a target."""
        rows = self.rows("train")
        return rows[self.learned[rows] != CONTEXT_ONLY]

    def table(self, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> pa.Table:
        """The ledger's rows for scores [n, C] of these rows."""
        chosen = [self.utterances[row] for row in rows]
        names = np.array([*self.classes, None], dtype=object)
        return prediction_rows(
            utterance_id=[each.utterance_id for each in chosen],
            dialogue_id=[each.dialogue_id for each in chosen],
            turn=[each.turn for each in chosen],
            speaker=[each.speaker for each in chosen],
            split=[each.split for each in chosen],
            gold=names[self.gold[rows]],
            predicted=names[scores.argmax(1)],
            scores=scores,
            vad=no_vad(len(rows)),
        )


def no_vad(rows: int) -> NDArray[np.float32]:
    """VAD of a system that predicts none."""
    return np.full((rows, len(DIMENSIONS)), np.nan, dtype=np.float32)


def predictions_of(scores: NDArray[np.float32]) -> Predictions:
    """Scores [n, C] as a system's predictions."""
    return Predictions(scores, no_vad(len(scores)))


def tuning_data(
    corpus: Corpus,
    config: TuningConfig,
    tokenizer: Any,
    longest: int,
    *,
    unseen: Sequence[str] = (),
    fold: Fold | None = None,
) -> TuningData:
    """Read a corpus for an encoder.

    Args:
        corpus: The corpus.
        config: Decides the inputs.
        tokenizer: The encoder's.
        longest: Tokens that the encoder can take.
        unseen: Classes whose labels are left out of train and validation.
        fold: Part of train whose labels are left out.

    Raises:
        InputError: See `InputBuilder` and `check_targets`.
    """
    index = {name: place for place, name in enumerate(corpus.classes)}
    utterances = tuple(corpus.utterances())
    gold = np.array([CONTEXT_ONLY if each.emotion is None else index[each.emotion] for each in utterances], np.int64)
    hidden = np.isin(gold, [index[name] for name in unseen])
    if fold is not None:
        left_out = fold.dialogues(corpus)
        hidden |= np.array([each.dialogue_id in left_out for each in utterances])
    items = tuning_items(corpus, config.input, config.context_turns)
    builder = InputBuilder(tokenizer, config, longest)
    return TuningData(
        classes=corpus.classes,
        utterances=utterances,
        items=items,
        sequences=builder.sequences(items),
        gold=gold,
        learned=np.where(hidden, CONTEXT_ONLY, gold),
        context_turns=config.context_turns,
        builder=builder,
    )


def check_targets(corpus: Corpus, unseen: Sequence[str]) -> None:
    """Refuse a corpus on which nothing can be tuned, selected or tested.

    Raises:
        InputError: A class without an utterance in train, or no labelled utterance in validation or test.
    """
    present: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for each in corpus.utterances():
        if each.emotion is not None:
            present[each.split].add(each.emotion)
    for name in corpus.classes:
        if name not in present["train"] and name not in unseen:
            what = f"no training utterance has class {name}"
            raise InputError(corpus.name, what, "add some, take the class out of corpus.json, or name it with --unseen")
    for split in ("validation", "test"):
        if not present[split] - (set(unseen) if split == "validation" else set()):
            raise InputError(corpus.name, f"no utterance of {split} has a class", "label some")
