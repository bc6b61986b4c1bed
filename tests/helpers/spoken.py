"""A small corpus of made-up dialogues in the words of `tiny_bert`, whose emotions follow from their words."""

from __future__ import annotations

import random

from fmerl.corpus import Corpus
from fmerl.corpus.dialogue import SPLITS, Dialogue, Split, Utterance
from helpers.tiny_bert import WORDS

CLASSES = ("neutral", "joy", "anger")


def spoken_corpus(train: int = 30, others: int = 10) -> Corpus:
    """So many dialogues of train, validation and test; `day` is joy, else `leave` is anger."""
    draw = random.Random(0)
    sizes = dict(zip(SPLITS, (train, others, others), strict=True))
    dialogues = tuple(_dialogue(draw, split, number) for split, size in sizes.items() for number in range(size))
    return Corpus(name="spoken", classes=CLASSES, vad_range=(1, 5), dialogues=dialogues)


def _dialogue(draw: random.Random, split: Split, number: int) -> Dialogue:
    name = f"{split}-{number}"
    return Dialogue(
        dialogue_id=name,
        utterances=tuple(_utterance(draw, split, name, turn) for turn in range(draw.randint(1, 6))),
    )


def _utterance(draw: random.Random, split: Split, dialogue: str, turn: int) -> Utterance:
    words = [draw.choice(WORDS) for _ in range(draw.randint(1, 8))]
    return Utterance(
        utterance_id=f"{dialogue}-{turn}",
        dialogue_id=dialogue,
        turn=turn,
        speaker=draw.choice(("oh", "my")),
        text=" ".join(words),
        emotion="joy" if "day" in words else "anger" if "leave" in words else "neutral",
        split=split,
    )
