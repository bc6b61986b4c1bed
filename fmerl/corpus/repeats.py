"""Texts that a corpus's test split shares with its train split."""

from __future__ import annotations

from fmerl.corpus.dialogue import Corpus


def repeats_of_train(corpus: Corpus) -> tuple[str, ...]:
    """Ids of the test utterances whose text is, letter by letter, that of a train utterance; blank texts are none."""
    train = {item.text for item in corpus.utterances() if item.split == "train" and item.text.strip()}
    return tuple(item.utterance_id for item in corpus.utterances() if item.split == "test" and item.text in train)
