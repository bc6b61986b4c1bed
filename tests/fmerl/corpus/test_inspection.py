"""Facts about a corpus, counted by hand on a small one and on MELD."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.metrics import f1_score

from fmerl.corpus import Corpus, Dialogue, Split, Utterance, read_corpus, write_corpus
from fmerl.corpus.inspection import (
    Inertia,
    Spans,
    class_counts,
    inertia,
    longest_texts,
    majority_weighted_f1,
    repeated_texts,
    repeats_of_train,
    spans,
    total,
)
from fmerl.corpus.readers import read_meld


def dialogue(name: str, split: Split, *turns: tuple[str, str, str | None]) -> Dialogue:
    """Turns are speaker, text and emotion."""
    return Dialogue(
        dialogue_id=name,
        utterances=tuple(
            Utterance(
                utterance_id=f"{name}_{number}",
                dialogue_id=name,
                turn=number,
                speaker=speaker,
                text=text,
                emotion=emotion,
                split=split,
            )
            for number, (speaker, text, emotion) in enumerate(turns)
        ),
    )


CORPUS = Corpus(
    name="small",
    classes=("neutral", "joy", "anger"),
    vad_range=(0.0, 5.0),
    dialogues=(
        dialogue(
            "a", "train", ("Ann", "Hi!", "joy"), ("Ben", "Hi!", "joy"), ("Ann", "Hi!", "neutral"), ("Ben", "", "joy")
        ),
        dialogue("b", "validation", ("Ann", "Yes.", "neutral")),
        dialogue(
            "c", "test", ("Ann", "Hi!", "joy"), ("Ben", "Hi!", "anger"), ("Ann", "hi!", "joy"), ("Ann", "Hi!", None)
        ),
        dialogue("d", "test", ("Ben", " ", "joy"), ("Ben", "so many words here", None), ("Ben", "So.", "joy")),
    ),
)


def test_repeats_are_exact_and_say_which_carry_another_emotion() -> None:
    [found] = repeated_texts(CORPUS, "test")
    assert (found.text, found.rows, found.usual, found.differs) == ("Hi!", 2, "joy", True)
    assert (found.unusual_rows, found.unheard_rows) == (1, 1)
    assert repeats_of_train(CORPUS) == ("c_0", "c_1", "c_3")
    assert repeated_texts(CORPUS, "validation") == []


def test_inertia_follows_each_speaker_over_unlabelled_turns() -> None:
    test = [each for each in CORPUS.dialogues if each.split == "test"]
    assert inertia(test) == {"Ann": Inertia(same=1, pairs=1), "Ben": Inertia(same=1, pairs=1)}
    assert total(inertia(CORPUS.dialogues).values()) == Inertia(same=3, pairs=4)


def test_counts_and_the_majority_score() -> None:
    assert class_counts(CORPUS, "test") == {"neutral": 0, "joy": 4, "anger": 1}
    gold = ["joy"] * 4 + ["anger"]
    expected = f1_score(gold, ["joy"] * 5, average="weighted", zero_division=0)
    assert majority_weighted_f1([0, 4, 1]) == pytest.approx(expected)
    assert longest_texts(CORPUS, 1)[0][0].utterance_id == "d_1"


def test_odd_spans_are_counted_by_kind() -> None:
    times = [(0.0, 2.0), (1.0, 3.0), (5.0, 4.0), (4.5, 6.0), (None, None), (7.0, 8.0)]
    first = CORPUS.dialogues[0].utterances[0]
    turns = tuple(replace(first, start=start, end=end) for start, end in times)
    found = spans([Dialogue(dialogue_id="a", utterances=turns)])
    assert found == Spans(known=5, reversed=1, overlapping=1, backwards=1)


def test_times_are_kept_in_the_folder_and_change_no_digest(tmp_path: Path) -> None:
    timed = replace(
        CORPUS,
        dialogues=tuple(
            replace(each, utterances=tuple(replace(item, start=3.5, end=2.25) for item in each.utterances))
            for each in CORPUS.dialogues
        ),
    )
    write_corpus(timed, tmp_path)
    again = read_corpus(tmp_path)
    assert {(item.start, item.end) for item in again.utterances()} == {(3.5, 2.25)}
    assert again.digest() == CORPUS.digest()


def test_meld_as_it_is(shared_data: Path) -> None:
    """Counted anew from the CSVs."""
    corpus, _ = read_meld(shared_data / "meld")
    emotions: dict[str, dict[str, Counter[str]]] = {"train": defaultdict(Counter), "test": defaultdict(Counter)}
    for split, texts in emotions.items():
        with (shared_data / "meld" / f"{split}_sent_emo.csv").open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                texts[row["Utterance"]][row["Emotion"]] += 1
    shared = emotions["train"].keys() & emotions["test"].keys()
    found = repeated_texts(corpus, "test")
    assert {item.text for item in found} == shared
    assert sum(item.rows for item in found) == len(repeats_of_train(corpus)) == 331
    assert sum(item.unheard_rows for item in found) == sum(
        number
        for text in shared
        for emotion, number in emotions["test"][text].items()
        if emotion not in emotions["train"][text]
    )
    assert sum(item.differs for item in found) == 70
    for split in ("train", "validation", "test"):
        stays = total(inertia(each for each in corpus.dialogues if each.split == split).values())
        assert 0.44 < stays.share < 0.47
