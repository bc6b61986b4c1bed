"""MELD's raw release: a small one with every oddity, and the real one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.corpus import Corpus, Problem, read_corpus, write_corpus
from fmerl.corpus.readers import read_meld
from fmerl.corpus.readers.cp1252 import repair_cp1252
from fmerl.corpus.readers.sizes import unusual_sizes
from fmerl.errors import InputError

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
SPAN = '8,21,"00:16:16,059","00:16:21,731"'
PLAIN = [f"1,Hi there.,Ross,joy,positive,0,0,{SPAN}"]


def write_release(folder: Path, train: list[str] = PLAIN, dev: list[str] = PLAIN, test: list[str] = PLAIN) -> Path:
    """Rows may hold bytes that are not UTF-8, written as surrogates."""
    for name, rows in (("train", train), ("dev", dev), ("test", test)):
        content = "".join(f"{row}\r\n" for row in [HEADER, *rows])
        (folder / f"{name}_sent_emo.csv").write_bytes(content.encode("utf-8", errors="surrogateescape"))
    return folder


def problems_at(problems: list[Problem], row: int) -> list[tuple[str, str]]:
    return [(problem.what, problem.action) for problem in problems if problem.row == row]


def test_ids_restart_per_split_and_curly_quotes_stay(tmp_path: Path) -> None:
    train = [f'1,"You must’ve, “truly”…",The Interviewer,neutral,neutral,0,0,{SPAN}', f"2,None,Ross,fear,x,0,1,{SPAN}"]
    corpus, problems = read_meld(write_release(tmp_path, train=train))
    assert problems == []
    assert [(u.utterance_id, u.dialogue_id, u.turn, u.split) for u in corpus.utterances()] == [
        ("train_dia0_utt0", "train_dia0", 0, "train"),
        ("train_dia0_utt1", "train_dia0", 1, "train"),
        ("dev_dia0_utt0", "dev_dia0", 0, "validation"),
        ("test_dia0_utt0", "test_dia0", 0, "test"),
    ]
    assert [u.text for u in corpus.utterances()][:2] == ["You must’ve, “truly”…", "None"]
    assert corpus.classes == ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
    assert (corpus.name, corpus.vad_range, corpus.unseen_class) == ("meld", (0.0, 5.0), "fear")


def test_gaps_and_disorder_are_joined_on_ids_and_listed_once_per_dialogue(tmp_path: Path) -> None:
    train = [
        f"1,third,Ross,joy,x,7,4,{SPAN}",
        f"2,first,Ross,joy,x,7,0,{SPAN}",
        f"3,other,Joey,joy,x,3,0,{SPAN}",
        f"4,second,Ross,joy,x,7,2,{SPAN}",
    ]
    corpus, problems = read_meld(write_release(tmp_path, train=train))
    assert [[u.text for u in dialogue.utterances] for dialogue in corpus.dialogues][:2] == [
        ["first", "second", "third"],
        ["other"],
    ]
    assert problems_at(problems, 3) == [
        ("utterances of dialogue 7 are out of order from Utterance_ID 0 on", "sorted by Utterance_ID")
    ]
    assert problems_at(problems, 5) == [("dialogue 7 lacks Utterance_ID 1, 3", "kept with the gap")]
    assert len(problems) == 2
    assert {problem.where for problem in problems} == {"train_sent_emo.csv"}


@pytest.mark.parametrize(
    ("start", "end", "what"),
    [
        ("00:16:16,059", "00:16:16,065", "span of 0.006 s"),
        ("00:16:16,059", "00:16:15,059", "span of -1.000 s"),
        ("00:16:16,059", "00:17:16,100", "span of 60.041 s"),
        ("00:16:16,059", "00:16:18,28", "unreadable span '00:16:16,059' to '00:16:18,28'"),
    ],
)
def test_odd_spans_are_kept_and_listed(tmp_path: Path, start: str, end: str, what: str) -> None:
    row = f'1,Hi there.,Ross,joy,positive,0,0,8,21,"{start}","{end}"'
    corpus, problems = read_meld(write_release(tmp_path, test=[row]))
    assert len(list(corpus.utterances())) == 3
    assert problems == [Problem(where="test_sent_emo.csv", row=2, what=what, action="kept; do not trust its clip")]


def test_cp1252_is_repaired_whether_read_as_latin1_or_left_as_bytes(tmp_path: Path) -> None:
    train = [
        f"1,It\x92s caf\xe9 \x85,Ross,joy,x,0,0,{SPAN}",
        f"2,It\udc92s caf\udce9 \udc85,Ross,joy,x,0,1,{SPAN}",
        f"3,It’s café …,Ross,joy,x,0,2,{SPAN}",
        f"4,ok,Ross\x92s mum,joy,x,0,3,{SPAN}",
    ]
    corpus, problems = read_meld(write_release(tmp_path, train=train))
    utterances = corpus.dialogues[0].utterances
    assert [u.text for u in utterances[:3]] == ["It’s café …"] * 3
    assert utterances[3].speaker == "Ross’s mum"
    assert [(problem.row, problem.what) for problem in problems] == [
        (2, "cp1252 bytes in Utterance"),
        (3, "cp1252 bytes in Utterance"),
        (5, "cp1252 bytes in Speaker"),
    ]
    assert problems[0].action == "read as 'It’s café …'"


def test_white_space_empty_texts_and_repeated_rows_are_listed(tmp_path: Path) -> None:
    train = [
        f"1,Hi., Ross  Geller\xa0,joy,x,0,0,{SPAN}",
        f"2,  ,Joey,joy,x,0,1,{SPAN}",
        f"9,  ,Joey,joy,x,0,1,{SPAN}",
    ]
    corpus, problems = read_meld(write_release(tmp_path, train=train))
    assert [u.speaker for u in corpus.dialogues[0].utterances] == ["Ross Geller", "Joey"]
    assert problems_at(problems, 2) == [
        ("odd white space in Speaker ' Ross  Geller\\xa0'", "read as 'Ross Geller'"),
    ]
    assert problems_at(problems, 3) == [("empty Utterance", "kept")]
    assert problems_at(problems, 4) == [("repeats row 3", "left out")]


def test_columns_that_only_advise_may_be_absent_and_capitals_are_mended(tmp_path: Path) -> None:
    write_release(tmp_path)
    header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
    rows = "1,What is that?,Ann,surprise,positive,0,0\n2,A cake.,Bob,Joy,positive,0,1\n"
    (tmp_path / "train_sent_emo.csv").write_text(header + rows)
    corpus, problems = read_meld(tmp_path)
    assert [item.emotion for item in corpus.utterances()][:2] == ["surprise", "joy"]
    assert problems_at(problems, 1) == [("no StartTime and no EndTime", "spans of clips are not checked")]
    assert problems_at(problems, 3) == [("Emotion 'Joy'", "read as 'joy'")]
    assert len(problems) == 2


@pytest.mark.parametrize(
    ("rows", "row", "fragments"),
    [
        ([f"1,Hi.,Ross,bliss,x,0,0,{SPAN}"], 2, ["unknown Emotion 'bliss'", "neutral, surprise"]),
        ([f"1,Hi.,Ross,joy,x,zero,0,{SPAN}"], 2, ["Dialogue_ID 'zero'", "MELD's raw release"]),
        ([f"1,Hi.,Ross,joy,x,0,,{SPAN}"], 2, ["Utterance_ID ''", "MELD's raw release"]),
        ([f"1,Hi., ,joy,x,0,0,{SPAN}"], 2, ["empty Speaker", "name the speaker"]),
        ([f"1,Hi\udc81.,Ross,joy,x,0,0,{SPAN}"], 2, ["byte 81 in Utterance", "mend the cell"]),
        ([*PLAIN, f"2,Bye.,Ross,joy,x,0,0,{SPAN}"], 3, ["utterance 0 of dialogue 0 differs", "row 2", "the right one"]),
        ([f"1,Hi, you.,Ross,joy,x,0,0,{SPAN}"], 2, ["12 cells where the header has 11", "quote cells"]),
        ([], None, ["no utterance", "MELD's raw release"]),
    ],
)
def test_broken_release_is_named(tmp_path: Path, rows: list[str], row: int | None, fragments: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_meld(write_release(tmp_path, dev=rows))
    assert (caught.value.where, caught.value.row) == (str(tmp_path / "dev_sent_emo.csv"), row)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    write_release(tmp_path)
    (tmp_path / "test_sent_emo.csv").unlink()
    with pytest.raises(InputError, match=r"test_sent_emo\.csv: no such file; check"):
        read_meld(tmp_path)


@given(st.text(st.characters(codec="cp1252", exclude_characters="\x81\x8d\x8f\x90\x9d"), max_size=30))
def test_repair_undoes_reading_cp1252_as_latin1_and_leaves_the_rest(text: str) -> None:
    assert repair_cp1252(text.encode("cp1252").decode("latin-1")) == text
    assert repair_cp1252(text.encode("cp1252").decode("ascii", errors="surrogateescape")) == text
    assert repair_cp1252(text) == text


@pytest.fixture(scope="module")
def meld(shared_data: Path) -> tuple[Corpus, list[Problem]]:
    return read_meld(shared_data / "meld")


def test_real_release_has_its_published_size(meld: tuple[Corpus, list[Problem]]) -> None:
    corpus, _ = meld
    assert Counter(u.split for u in corpus.utterances()) == {"train": 9989, "validation": 1109, "test": 2610}
    assert Counter(d.split for d in corpus.dialogues) == {"train": 1038, "validation": 114, "test": 280}
    assert max(1 + max(dialogue.speaker_indices()) for dialogue in corpus.dialogues) == 9
    assert max(len(dialogue.utterances) for dialogue in corpus.dialogues) == 33
    emotions = Counter(u.emotion for u in corpus.utterances())
    assert [emotions[name] for name in corpus.classes] == [6436, 1636, 358, 1002, 2308, 361, 1607]


def test_the_real_release_has_no_unusual_size_and_a_part_of_it_has(meld: tuple[Corpus, list[Problem]]) -> None:
    corpus, _ = meld
    assert unusual_sizes(corpus) == []
    (problem,) = unusual_sizes(replace(corpus, dialogues=corpus.dialogues[1:]))
    assert problem.what.endswith("in 1,037 dialogues, where MELD's train has 9,989 in 1,038")
    assert problem.on_screen


def test_real_release_has_its_known_oddities(meld: tuple[Corpus, list[Problem]]) -> None:
    _, problems = meld
    gaps = Counter(problem.where for problem in problems if "lacks Utterance_ID" in problem.what)
    assert gaps == {"train_sent_emo.csv": 72, "dev_sent_emo.csv": 2, "test_sent_emo.csv": 2}
    spans = {(problem.where, problem.what) for problem in problems if problem.what.startswith("span of")}
    assert spans == {
        ("train_sent_emo.csv", "span of 41.040 s"),
        ("train_sent_emo.csv", "span of 0.006 s"),
        ("test_sent_emo.csv", "span of 304.940 s"),
        ("test_sent_emo.csv", "span of 235.068 s"),
        ("test_sent_emo.csv", "span of 0.000 s"),
    }
    unreadable = [problem for problem in problems if problem.what.startswith("unreadable span")]
    assert len(problems) == sum(gaps.values()) + len(spans) + len(unreadable)


def test_real_release_survives_the_corpus_folder(meld: tuple[Corpus, list[Problem]], tmp_path: Path) -> None:
    corpus, problems = meld
    write_corpus(corpus, tmp_path, problems)
    assert read_corpus(tmp_path).digest() == corpus.digest()
    assert len((tmp_path / "problems.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(problems)
