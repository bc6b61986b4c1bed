"""Folds: every labelled utterance is tested once, by cells that saw neither it nor anything of what is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.folds.splits import Fold, folds_of, repeats_in_folds

SPEAKERS = ("Ann", "Bob", "Cy", "Dee")


def corpus_of(casts: list[list[str]], labelled: list[bool]) -> Corpus:
    """A dialogue per cast, a turn per letter; every second turn of a labelled one has a class."""
    dialogues = tuple(
        Dialogue(
            dialogue_id=f"d{number}",
            utterances=tuple(
                Utterance(
                    utterance_id=f"d{number}_{turn}",
                    dialogue_id=f"d{number}",
                    turn=turn,
                    speaker=speaker,
                    text="",
                    emotion="joy" if named and turn % 2 == 0 else None,
                    split="train",
                )
                for turn, speaker in enumerate(cast)
            ),
        )
        for number, (cast, named) in enumerate(zip(casts, labelled, strict=True))
    )
    return Corpus(name="talk", classes=("joy", "anger"), vad_range=(0, 5), dialogues=dialogues)


def times_tested(corpus: Corpus, folds: tuple[Fold, ...]) -> Counter[str]:
    """How many folds test each labelled utterance."""
    return Counter(
        utterance.utterance_id
        for fold in folds
        for utterance in corpus.utterances()
        if fold.split[utterance.dialogue_id] == "test"
        and utterance.emotion is not None
        and fold.speaker in (None, utterance.speaker)
    )


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    casts = draw(st.lists(st.lists(st.sampled_from(SPEAKERS), min_size=1, max_size=5), min_size=2, max_size=14))
    labelled = draw(st.lists(st.booleans(), min_size=len(casts), max_size=len(casts)))
    return corpus_of(casts, labelled)


@given(corpora(), st.sampled_from(["2", "3", "5", "speaker"]))
def test_every_labelled_utterance_is_tested_once_and_nothing_of_it_is_learned(corpus: Corpus, scheme: str) -> None:
    try:
        folds = folds_of(corpus, scheme)
    except InputError:
        return
    labels = {utterance.utterance_id for utterance in corpus.utterances() if utterance.emotion is not None}
    assert times_tested(corpus, folds) == dict.fromkeys(labels, 1)
    for fold in folds:
        assert set(fold.split) == {dialogue.dialogue_id for dialogue in corpus.dialogues}
        assert set(fold.split.values()) == {"train", "validation", "test"}
        if fold.speaker is not None:
            learned = [each for each in corpus.utterances() if fold.split[each.dialogue_id] != "test"]
            assert fold.speaker not in {each.speaker for each in learned}


@given(corpora(), st.randoms(use_true_random=False))
def test_the_order_of_dialogues_and_their_own_splits_decide_nothing(corpus: Corpus, order: object) -> None:
    shuffled = list(corpus.dialogues)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    moved = [
        replace(item, utterances=tuple(replace(utterance, split="test") for utterance in item.utterances))
        for item in shuffled
    ]
    try:
        folds = folds_of(corpus, "2")
    except InputError:
        return
    assert {(fold.name, fold.digest()) for fold in folds} == {
        (fold.name, fold.digest()) for fold in folds_of(replace(corpus, dialogues=tuple(moved)), "2")
    }


def test_folds_of_a_number_are_of_one_size() -> None:
    folds = folds_of(corpus_of([["Ann", "Bob"]] * 22, [True] * 22), "4")
    assert [fold.name for fold in folds] == ["1", "2", "3", "4"]
    assert sorted(Counter(fold.split.values())["test"] for fold in folds) == [5, 5, 6, 6]
    assert {Counter(fold.split.values())["validation"] for fold in folds} == {2}
    assert len({frozenset(name for name, split in fold.split.items() if split == "validation") for fold in folds}) > 1


def test_sessions_are_those_of_iemocaps_ids() -> None:
    corpus = corpus_of([["Ann", "Bob"]] * 10, [True] * 10)
    renamed = tuple(
        replace(item, dialogue_id=name, utterances=tuple(replace(each, dialogue_id=name) for each in item.utterances))
        for number, item in enumerate(corpus.dialogues)
        for name in [f"Ses0{number % 5 + 1}F_impro0{number}"]
    )
    folds = folds_of(replace(corpus, dialogues=renamed), "session")
    assert [fold.name for fold in folds] == [f"Session{number}" for number in range(1, 6)]
    for number, fold in enumerate(folds, start=1):
        assert {name[:5] for name, split in fold.split.items() if split == "test"} == {f"Ses0{number}"}
    with pytest.raises(InputError, match="d0 of talk is no dialogue of IEMOCAP"):
        folds_of(corpus, "session")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("d0,a\nd1,a\nd2,b\nd3,b", None),
        ("d0,a\nd1,a\nd2,b", "1 of 4 dialogues of talk have no fold, the first is d3"),
        ("d0,a\nd1,a\nd2,b\nd3,b\nd9,b", "row 6.*talk has no dialogue 'd9'"),
        ("d0,a\nd1,a\nd2,b\nd2,b\nd3,b", "row 5.*'d2' stands twice"),
        ("d0,a\nd1,a\nd2,\nd3,b", "row 4.*fold '' is empty"),
        ("d0,a\nd1,a\nd2,a\nd3,b", "fold a of talk.*leaves 1 labelled dialogues"),
    ],
)
def test_folds_of_a_file(tmp_path: Path, rows: str, message: str | None) -> None:
    corpus, path = corpus_of([["Ann", "Bob"]] * 4, [True] * 4), tmp_path / "folds.csv"
    path.write_text(f"dialogue_id,fold\n{rows}\n")
    if message is None:
        first, second = folds_of(corpus, str(path))
        assert {name for name, split in first.split.items() if split == "test"} == {"d0", "d1"}
        assert (first.name, second.name) == ("a", "b")
        return
    with pytest.raises(InputError, match=message):
        folds_of(corpus, str(path))


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("1", "fewer than two"),
        ("0", "fewer than two"),
        ("sessions", "neither session, speaker, a number nor a file"),
        ("9", "talk has 4 labelled dialogues"),
        ("speaker", "fold Ann of talk: it leaves 0 labelled dialogues"),
    ],
)
def test_folds_that_cannot_be_are_refused(scheme: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        folds_of(corpus_of([["Ann", "Bob"]] * 4 + [["Cy"]], [True] * 4 + [False]), scheme)


def test_a_text_repeats_where_train_of_the_fold_that_tests_it_has_it() -> None:
    corpus = corpus_of([["Ann", "Bob", "Ann"], ["Bob", "Cy"], ["Cy", "Ann"]], [True, True, True])
    texts = {"d0_0": "hi", "d0_1": "oh", "d0_2": " ", "d1_0": "hi", "d1_1": " ", "d2_0": "oh", "d2_1": "hi"}
    said = tuple(
        replace(each, utterances=tuple(replace(item, text=texts[item.utterance_id]) for item in each.utterances))
        for each in corpus.dialogues
    )
    corpus = replace(corpus, dialogues=said)
    first = Fold(name="1", split={"d0": "test", "d1": "train", "d2": "validation"})
    second = Fold(name="2", split={"d0": "validation", "d1": "test", "d2": "train"})
    assert repeats_in_folds(corpus, [first]) == ("d0_0",), "d1_0 has a label; validation does not count"
    assert repeats_in_folds(corpus, [second]) == (), "d2_1 is context only"
    third = Fold(name="3", split={"d0": "train", "d1": "train", "d2": "test"})
    assert repeats_in_folds(corpus, [first, second, third]) == ("d0_0", "d2_1")
    assert repeats_in_folds(corpus, [replace(third, speaker="Cy")]) == (), "Ann's turn is context there"
