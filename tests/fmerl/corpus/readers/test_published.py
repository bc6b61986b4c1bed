"""Published feature pickles: what comes out is what went in, joined by id, and faults are named."""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.published_pickles import IEMOCAP_DIALOGUES, iemocap_pickle, meld_pickle
from hypothesis import given, settings
from hypothesis import strategies as st

from fmerl.corpus import read_corpus, write_corpus
from fmerl.corpus.readers import read_published
from fmerl.corpus.readers.feature_pickles.formats import PER_UTTERANCE, TEXT_VECTORS
from fmerl.corpus.readers.iemocap.evaluation import Evaluation
from fmerl.corpus.readers.iemocap.ids import COSMIC_VALIDATION
from fmerl.errors import InputError

HELD_OUT = ("Ses01M_impro01", "Ses02F_impro02")
IEMOCAP_LENGTHS = {"Ses02F_impro02": 3, "Ses01F_impro05": 4, "Ses05M_script01_1b": 2, "Ses01M_impro01": 1}
MELD_LENGTHS = {1153: 2, 0: 3, 1039: 2, 61: 4, 1432: 1, 1038: 1, 1152: 1}


def save(content: list[Any], folder: Path, protocol: int = 2) -> Path:
    path = folder / "features.pkl"
    path.write_bytes(pickle.dumps(tuple(content), protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_iemocap_comes_back_by_id(tmp_path: Path, protocol: int) -> None:
    content = iemocap_pickle(IEMOCAP_LENGTHS)
    items = dict(zip(PER_UTTERANCE, content, strict=False))
    published = read_published(save(content, tmp_path, protocol), validation=HELD_OUT)
    corpus = published.corpus
    assert (corpus.name, corpus.vad_range, corpus.unseen_class) == ("iemocap", (1.0, 5.0), "happy")
    assert corpus.classes == ("happy", "sad", "neutral", "angry", "excited", "frustrated")
    assert [dialogue.dialogue_id for dialogue in corpus.dialogues] == list(IEMOCAP_LENGTHS)
    assert [dialogue.split for dialogue in corpus.dialogues] == ["validation", "train", "test", "validation"]
    for row, utterance in enumerate(corpus.utterances()):
        key, turn = utterance.dialogue_id, utterance.turn
        assert utterance.utterance_id == items["videoIDs"][key][turn]
        assert utterance.speaker == key[:5] + items["videoSpeakers"][key][turn]
        assert utterance.text == items["videoSentence"][key][turn]
        assert utterance.emotion == corpus.classes[items["videoLabels"][key][turn]]
        assert utterance.valence is None
        for modality, name in (("text", "videoText"), ("audio", "videoAudio"), ("visual", "videoVisual")):
            assert np.array_equal(published.features[modality][row], items[name][key][turn].astype(np.float32))
    assert {modality: values.shape[1] for modality, values in published.features.items()} == {
        "text": 1024,
        "audio": 1582,
        "visual": 342,
    }
    assert [problem.what for problem in published.problems] == ["10 utterances, published are 7433"]


def test_meld_comes_back_by_id_with_official_splits(tmp_path: Path) -> None:
    content = meld_pickle(MELD_LENGTHS)
    published = read_published(save(content, tmp_path))
    assert published.corpus.name == "meld"
    assert {dialogue.dialogue_id: dialogue.split for dialogue in published.corpus.dialogues} == {
        "test_dia0": "test",
        "train_dia0": "train",
        "dev_dia0": "validation",
        "train_dia61": "train",
        "test_dia279": "test",
        "train_dia1038": "train",
        "dev_dia113": "validation",
    }
    assert published.corpus.dialogues[3].speaker_indices() == [0, 1, 2, 0]
    assert [item.utterance_id for item in published.corpus.dialogues[0].utterances] == [
        "test_dia0_turn0",
        "test_dia0_turn1",
    ]
    assert np.array_equal(published.features["audio"][2:5], content[7][0].astype(np.float32))


@pytest.mark.parametrize("text", TEXT_VECTORS)
def test_text_vectors_are_chosen(tmp_path: Path, text: str) -> None:
    content = iemocap_pickle(IEMOCAP_LENGTHS)
    layers = content[3:7] if text == "mean" else [content[3 + int(text[-1]) - 1]]
    wanted = np.mean([layer["Ses02F_impro02"] for layer in layers], axis=0)
    published = read_published(save(content, tmp_path), text=text, validation=HELD_OUT)
    assert np.allclose(published.features["text"][:3], wanted, atol=1e-6)
    assert published.items["text"] == TEXT_VECTORS[text]
    assert published.source == hashlib.sha256((tmp_path / "features.pkl").read_bytes()).hexdigest()


def test_iemocap_default_validation_is_that_of_cosmic(tmp_path: Path) -> None:
    published = read_published(save(iemocap_pickle(dict.fromkeys(IEMOCAP_DIALOGUES, 1)), tmp_path))
    splits = Counter(dialogue.split for dialogue in published.corpus.dialogues)
    assert splits == {"train": 108, "validation": 12, "test": 31}
    held_out = {item.dialogue_id for item in published.corpus.dialogues if item.split == "validation"}
    assert held_out == COSMIC_VALIDATION


def test_odd_rows_are_listed(tmp_path: Path) -> None:
    content = iemocap_pickle(IEMOCAP_LENGTHS)
    content[7]["Ses01F_impro05"][1] *= 0
    content[8]["Ses02F_impro02"][2][5] = np.nan
    content[9]["Ses01F_impro05"][0] = "It\x92s \x85"
    content[9]["Ses01F_impro05"][3] = " "
    content[9]["Ses01M_impro01"][0] = "\x81"
    content[1]["Ses05M_script01_1b"] = [[0, 1], [0, 1]]
    content[7] = {key: [row[:7] for row in rows] for key, rows in content[7].items()}
    published = read_published(save(content, tmp_path), validation=HELD_OUT)
    assert [(item.row, item.what, item.action) for item in published.problems] == [
        (0, "10 utterances, published are 7433", "kept"),
        (4, "dialogue 'Ses01F_impro05', utterance 1: cp1252 bytes in the text", "read as 'It’s …'"),
        (7, "dialogue 'Ses01F_impro05', utterance 4: empty text", "kept"),
        (9, "Ses05M_script01_1b_M000 is spoken by Ses05F in videoSpeakers", "kept as in videoSpeakers"),
        (10, "dialogue 'Ses01M_impro01', utterance 1: characters that are no cp1252", "kept as they are"),
        (0, "audio features are 7 wide, published are 1582", "kept"),
        (5, "audio feature of Ses01F_impro05_M000 is all zero", "marked missing"),
        (3, "visual feature of Ses02F_impro02_F001 has NaN or infinite values", "marked missing"),
    ]
    assert np.flatnonzero(published.missing["audio"]).tolist() == [4]
    assert np.flatnonzero(published.missing["visual"]).tolist() == [2]
    assert not published.features["visual"][2].any()
    write_corpus(published.corpus, tmp_path / "corpus", published.problems)
    assert read_corpus(tmp_path / "corpus").digest() == published.corpus.digest()


def evaluation(name: str, label: str, vad: tuple[float, float, float] | None) -> Evaluation:
    return Evaluation(utterance_id=name, start=0, end=1, label=label, vad=vad, where="x.txt", row=1)


def test_human_scores_join_by_id(tmp_path: Path) -> None:
    content = iemocap_pickle({"Ses02F_impro02": 3, "Ses01F_impro05": 1, "Ses05F_impro01": 1})
    content[2]["Ses02F_impro02"] = [0, 0, 3]
    evaluations = {
        item.utterance_id: item
        for item in (
            evaluation("Ses02F_impro02_M000", "xxx", (1.5, 2, 5)),
            evaluation("Ses02F_impro02_F000", "hap", (4, 3, 2)),
            evaluation("Ses02F_impro02_F001", "ang", None),
        )
    }
    published = read_published(save(content, tmp_path), validation=HELD_OUT[1:], evaluations=evaluations)
    scores = [(item.valence, item.arousal, item.dominance) for item in published.corpus.utterances()]
    assert scores == [(4, 3, 2), (1.5, 2, 5), *[(None, None, None)] * 3]
    assert [(item.row, item.what) for item in published.problems[1:]] == [
        (2, "Ses02F_impro02_M000 is happy here and xxx in EmoEvaluation"),
        (4, "Ses01F_impro05_F000 has no evaluation in the release"),
        (5, "Ses05F_impro01_F000 has no evaluation in the release"),
    ]
    with pytest.raises(InputError, match="meld, which has no EmoEvaluation"):
        read_published(save(meld_pickle(MELD_LENGTHS), tmp_path), evaluations=evaluations)


def _in(item: int, change: Callable[[Any], None]) -> Callable[[list[Any]], None]:
    return lambda content: change(content[item])


FAULTS: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "an item less": (lambda content: content.pop(), "the tuple has 11 items, not 12 (iemocap) or 13 (meld)"),
    "list for dict": (lambda content: content.__setitem__(4, []), "roberta2 is a list, not a dict"),
    "dialogue absent": (_in(7, lambda item: item.pop("Ses01F_impro05")), "videoAudio lacks dialogue 'Ses01F_impro05'"),
    "dialogue extra": (_in(5, lambda item: item.update(x=[])), "roberta3 holds dialogue 'x', which videoIDs lacks"),
    "utterance absent": (
        _in(9, lambda item: item["Ses01F_impro05"].pop()),
        "videoSentence['Ses01F_impro05'] has 3 entries, videoIDs['Ses01F_impro05'] 4",
    ),
    "number for list": (_in(2, lambda item: item.update(Ses01F_impro05=3)), "videoLabels['Ses01F_impro05'] is a int"),
    "ragged": (
        _in(8, lambda item: item["Ses01F_impro05"].__setitem__(2, np.zeros(5))),
        "videoVisual['Ses01F_impro05'] is no table of numbers",
    ),
    "words for vectors": (
        _in(8, lambda item: item.update(Ses01F_impro05=list("abcd"))),
        "videoVisual['Ses01F_impro05'] is no table of numbers",
    ),
    "one number each": (
        _in(8, lambda item: item.update(Ses01F_impro05=[1.0] * 4)),
        "videoVisual['Ses01F_impro05'] has shape (4,)",
    ),
    "another width": (
        _in(8, lambda item: item.update(Ses01F_impro05=np.zeros((4, 9)))),
        "videoVisual['Ses01F_impro05'] is 9 wide, the dialogues before it are 342",
    ),
    "unknown class": (_in(2, lambda item: item["Ses01F_impro05"].__setitem__(0, 6)), "6 is no index of 6 classes"),
    "no class": (_in(2, lambda item: item["Ses01F_impro05"].__setitem__(0, -1)), "-1 is no index of 6 classes"),
    "unknown speaker": (_in(1, lambda item: item["Ses01F_impro05"].__setitem__(0, "X")), "'X' is neither 'M', 'F'"),
    "two ones": (_in(1, lambda item: item["Ses01F_impro05"].__setitem__(0, [1, 1])), "[1, 1] is neither 'M', 'F'"),
    "table for speaker": (
        _in(1, lambda item: item["Ses01F_impro05"].__setitem__(0, np.eye(3))),
        "0., 0., 1.]]) is neither 'M', 'F'",
    ),
    "huge numbers": (
        _in(8, lambda item: item.update(Ses01F_impro05=[[10**400]] * 4)),
        "videoVisual['Ses01F_impro05'] is no table of numbers",
    ),
    "half a letter": (_in(9, lambda item: item["Ses01F_impro05"].__setitem__(1, "\ud800")), "is no Unicode text"),
    "no text": (_in(9, lambda item: item["Ses01F_impro05"].__setitem__(1, 5)), "utterance 2: a int, not a text"),
    "odd id": (_in(0, lambda item: item["Ses01F_impro05"].__setitem__(1, "M1")), "'M1' is no utterance id"),
    "id of two": (
        _in(0, lambda item: item["Ses01F_impro05"].__setitem__(2, "Ses01F_impro05_F000")),
        "utterance 3 has the id of dialogue 'Ses01F_impro05', utterance 1",
    ),
    "in both": (_in(11, lambda item: item.append("Ses01F_impro05")), "'Ses01F_impro05' is in trainVid and in testVid"),
    "in neither": (_in(10, lambda item: item.remove("Ses01F_impro05")), "neither in trainVid nor in testVid"),
    "not there": (_in(10, lambda item: item.append("Ses01F_impro09")), "trainVid names dialogue 'Ses01F_impro09'"),
    "test in train": (
        lambda content: (content[11].remove("Ses05M_script01_1b"), content[10].append("Ses05M_script01_1b")),
        "trainVid names 'Ses05M_script01_1b', which is of the other split",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_one_line_that_names_it(tmp_path: Path, fault: str) -> None:
    change, what = FAULTS[fault]
    content = iemocap_pickle(IEMOCAP_LENGTHS)
    change(content)
    with pytest.raises(InputError) as caught:
        read_published(save(content, tmp_path), validation=HELD_OUT)
    assert what in caught.value.what
    assert caught.value.where == str(tmp_path / "features.pkl")
    assert "\n" not in str(caught.value)


JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.lists(st.integers(-1, 9) | st.text(max_size=2) | st.lists(st.floats(width=32), max_size=3), max_size=4)
    | st.dictionaries(st.integers(0, 3) | st.just("Ses01F_impro05"), st.none(), max_size=2)
    | st.sampled_from([np.zeros(0), np.zeros((4, 2)), np.ones(4, dtype=np.int64), np.full((4, 342), np.inf)])
)


@settings(max_examples=200)
@given(item=st.integers(0, 11), depth=st.integers(0, 2), junk=JUNK)
def test_junk_anywhere_is_one_line_or_still_a_corpus(
    tmp_path_factory: pytest.TempPathFactory, item: int, depth: int, junk: Any
) -> None:
    content = iemocap_pickle({"Ses01F_impro05": 4, "Ses02F_impro02": 1, "Ses05F_impro01": 1})
    if depth == 0:
        content[item] = junk
    elif depth == 1 or item >= len(PER_UTTERANCE):
        content[item]["Ses01F_impro05" if item < len(PER_UTTERANCE) else 0] = junk
    else:
        content[item]["Ses01F_impro05"][1] = junk
    path = save(content, tmp_path_factory.getbasetemp())
    try:
        published = read_published(path, validation=HELD_OUT[1:])
    except InputError as error:
        what = str(error)
    else:
        what = ""
        write_corpus(published.corpus, tmp_path_factory.getbasetemp() / "junk", published.problems)
        assert read_corpus(tmp_path_factory.getbasetemp() / "junk").digest() == published.corpus.digest()
    assert "\n" not in what


@pytest.mark.parametrize(
    ("validation", "what"),
    [
        (None, "10 of 12 validation dialogues are no training dialogues, such as Ses01M_script03_1"),
        (["Ses05M_script01_1b"], "1 of 1 validation dialogues are no training dialogues"),
        ([], "0 of 3 training dialogues are for validation"),
        (["Ses01F_impro05", *HELD_OUT], "3 of 3 training dialogues are for validation"),
    ],
)
def test_validation_must_be_a_part_of_train(tmp_path: Path, validation: list[str] | None, what: str) -> None:
    content = iemocap_pickle(IEMOCAP_LENGTHS)
    with pytest.raises(InputError) as caught:
        read_published(save(content, tmp_path), validation=validation)
    assert what in caught.value.what
    assert "--validation" in caught.value.remedy


def test_pickle_that_is_no_tuple_is_named(tmp_path: Path) -> None:
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="holds a dict, not a tuple of 12"):
        read_published(path)
