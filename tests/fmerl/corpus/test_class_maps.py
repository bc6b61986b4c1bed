"""Maps of classes: what they change, in which order, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fmerl.corpus import SPLITS, Corpus, Dialogue, Utterance, read_corpus, write_corpus
from fmerl.corpus.class_maps import PROTOCOLS, read_class_map, told_class_map, with_classes
from fmerl.corpus.readers.iemocap.ids import CLASSES as IEMOCAP
from fmerl.errors import InputError

CLASSES = ("joy", "calm", "anger", "fear")


def corpus_of(emotions: list[str | None], classes: tuple[str, ...] = CLASSES, unseen: str | None = None) -> Corpus:
    dialogues = tuple(
        Dialogue(
            dialogue_id=split,
            utterances=tuple(
                Utterance(
                    utterance_id=f"{split}_{turn}",
                    dialogue_id=split,
                    turn=turn,
                    speaker="A",
                    text="Hi",
                    emotion=emotion,
                    split=split,
                )
                for turn, emotion in enumerate(emotions)
            ),
        )
        for split in SPLITS
    )
    return Corpus(name="talk", classes=classes, vad_range=(0, 5), dialogues=dialogues, unseen_class=unseen)


@given(
    st.lists(st.sampled_from([*CLASSES, None]), min_size=1, max_size=12),
    st.dictionaries(st.sampled_from(CLASSES), st.sampled_from([*CLASSES, "other", None]), max_size=4),
)
def test_every_utterance_stays_and_every_label_follows_the_map(
    emotions: list[str | None], class_map: dict[str, str | None]
) -> None:
    full = {name: class_map.get(name, name) for name in CLASSES}
    left = {new for new in full.values() if new is not None}
    corpus = corpus_of(emotions)
    if len(left) < 2 or all(old == new for old, new in full.items()):
        with pytest.raises(InputError):
            with_classes(corpus, class_map)
        return
    mapped = with_classes(corpus, class_map)
    assert set(mapped.classes) == left
    assert len(mapped.classes) == len(left)
    assert [item.emotion for item in mapped.utterances()] == [
        None if item.emotion is None else full[item.emotion] for item in corpus.utterances()
    ]
    assert [item.utterance_id for item in mapped.utterances()] == [item.utterance_id for item in corpus.utterances()]
    assert mapped.class_map == full
    assert list(mapped.classes) == sorted(mapped.classes, key=list(full.values()).index), "order of the old labels"


@given(st.data())
def test_two_maps_one_after_the_other_are_told_as_one(data: st.DataObject) -> None:
    first = data.draw(st.dictionaries(st.sampled_from(CLASSES), st.sampled_from([*CLASSES, "x", None]), min_size=1))
    second = data.draw(st.dictionaries(st.sampled_from([*CLASSES, "x"]), st.sampled_from(["y", "z", None]), min_size=1))
    corpus = corpus_of([*CLASSES, None])
    try:
        once = with_classes(corpus, first)
        twice = with_classes(once, second)
    except InputError:
        assume(False)
    assert [item.emotion for item in twice.utterances()] == [
        None if item.emotion is None else twice.class_map[item.emotion] for item in corpus.utterances()
    ]


def test_iemocap_in_four_classes() -> None:
    corpus = corpus_of([*IEMOCAP, None], IEMOCAP, unseen="excited")
    mapped = with_classes(corpus, read_class_map(["iemocap-4"], IEMOCAP))
    assert Counter(item.emotion for item in mapped.utterances()) == {
        "happy": 6,
        "sad": 3,
        "neutral": 3,
        "angry": 3,
        None: 6,
    }
    assert mapped.unseen_class is None
    assert told_class_map(mapped.class_map) == "happy from happy and excited; frustrated without target"
    codes = ("neu", "hap", "sad", "ang", "exc", "fru", "xxx")
    by_code = with_classes(corpus_of(list(codes), codes), read_class_map(["iemocap-6"], codes))
    assert by_code.classes == ("neutral", "happy", "sad", "angry", "excited", "frustrated")
    assert by_code.class_map["xxx"] is None
    with pytest.raises(InputError, match="changes none of talk's classes"):
        with_classes(corpus, read_class_map(["iemocap-6"], IEMOCAP))


def test_a_class_that_is_renamed_alone_stays_unseen() -> None:
    corpus = corpus_of(list(CLASSES), unseen="fear")
    assert with_classes(corpus, {"fear": "dread"}).unseen_class == "dread"
    assert with_classes(corpus, {"fear": "anger"}).unseen_class is None
    assert with_classes(corpus, {"fear": None}).unseen_class is None
    assert with_classes(corpus, {"calm": None}).unseen_class == "fear"


def test_the_corpus_folder_keeps_the_map_and_its_digest_is_of_the_data(tmp_path: Path) -> None:
    mapped = with_classes(corpus_of(list(CLASSES)), {"fear": "anger", "calm": None})
    write_corpus(mapped, tmp_path)
    again = read_corpus(tmp_path)
    assert again.class_map == {"joy": "joy", "calm": None, "anger": "anger", "fear": "anger"}
    assert again.digest() == mapped.digest() == replace(mapped, class_map={}).digest()
    header = json.loads((tmp_path / "corpus.json").read_text())
    header["class_map"]["fear"] = "bliss"
    (tmp_path / "corpus.json").write_text(json.dumps(header))
    with pytest.raises(InputError, match=r"class_map .* names what is no class"):
        read_corpus(tmp_path)


def test_a_map_is_pairs_or_a_file(tmp_path: Path) -> None:
    assert read_class_map(["a=b", "c="], ()) == {"a": "b", "c": None}
    assert read_class_map(["a=b=c"], ()) == {"a=b": "c"}
    path = tmp_path / "map.json"
    path.write_text('{"a": "b", "c": null, "d": ""}')
    assert read_class_map([str(path)], ()) == {"a": "b", "c": None, "d": None}
    assert all(read_class_map([name], IEMOCAP).keys() <= set(IEMOCAP) for name in PROTOCOLS)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["meld-3"], "'meld-3' is neither a pair nor one of iemocap-6, iemocap-4"),
        ([], "it names no class"),
        (["joy=x", "joy=y"], "class joy is mapped twice"),
        (["joy= x"], "' x' is no name of a class"),
        (["=x"], "'' is no name of a class"),
        (["none.json"], "none.json: no such file"),
        (["bliss=joy"], "talk has no class bliss; its classes are joy, calm, anger, fear"),
        (["joy=joy"], "changes none of talk's classes"),
        (["joy=x", "calm=x", "anger=x", "fear="], "it leaves x of talk's classes"),
    ],
)
def test_what_is_no_map_is_refused(given: list[str], what: str) -> None:
    corpus = corpus_of(list(CLASSES))
    with pytest.raises(InputError) as caught:
        with_classes(corpus, read_class_map(given, corpus.classes))
    assert what in str(caught.value)


@pytest.mark.parametrize("content", ['["a"]', '{"a": 1}', '{"a": "b", "a": "c"}', "{}"])
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"map\.json: "):
        read_class_map([str(path)], CLASSES)
