"""IEMOCAP's raw release: what is read is what was written, and every oddity is a listed row."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.raw_iemocap import DIALOGUES, RELEASE, VALIDATION, Written, write_iemocap
from hypothesis import given, settings
from hypothesis import strategies as st

from fmerl.corpus import Problem, media_file, read_corpus, write_corpus
from fmerl.corpus.readers import read_iemocap
from fmerl.corpus.readers.iemocap.ids import CLASSES, COSMIC_VALIDATION, LABELS, split_of
from fmerl.errors import InputError
from fmerl.synthetic import IEMOCAP_SHAPE


def key(problem: Problem) -> tuple[str, int, str, str]:
    return problem.where, problem.row, problem.what, problem.action


def fresh_release(release: Mapping[str, Any], factory: pytest.TempPathFactory) -> Written:
    root = factory.getbasetemp() / "iemocap"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    return write_iemocap(release, root)


@settings(max_examples=60)
@given(release=RELEASE, keep_context=st.booleans())
def test_raw_protocol_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, release: Mapping[str, Any], keep_context: bool
) -> None:
    written = fresh_release(release, tmp_path_factory)
    corpus, problems = read_iemocap(written.root, validation=VALIDATION, keep_context=keep_context)
    kept = [
        replace(item, emotion=None if item.utterance_id in written.untargeted else item.emotion)
        for item in written.utterances
        if keep_context or item.utterance_id not in written.untargeted
    ]
    action = "kept as context" if keep_context else "left out"
    rows = [replace(problem, action=action) for problem in written.untargeted.values()]
    dropped = () if keep_context else written.untargeted
    told = [
        problem
        for problem in written.problems
        if problem.action != "kept with an empty text" or problem.what.split()[0] not in dropped
    ]
    targets = len(written.utterances) - len(written.untargeted)
    told.append(Problem(where="raw-7380", row=0, what=f"{targets} targets, the whole release has 7380", action="kept"))
    assert list(corpus.utterances()) == kept
    assert sorted(map(key, problems)) == sorted(map(key, [*told, *rows]))


@settings(max_examples=60)
@given(release=RELEASE, data=st.data())
def test_standard_protocol_calls_listed_utterances_without_majority_happy(
    tmp_path_factory: pytest.TempPathFactory, release: Mapping[str, Any], data: st.DataObject
) -> None:
    written = fresh_release(release, tmp_path_factory)
    names = [item.utterance_id for item in written.utterances]
    ids = data.draw(st.sets(st.sampled_from([*names, "Ses04F_impro01_F000"])))
    corpus, problems = read_iemocap(written.root, "standard-7433", ids=ids, validation=VALIDATION)
    for item, read in zip(written.utterances, corpus.utterances(), strict=True):
        happy = item.emotion == "xxx" and item.utterance_id in ids
        assert read.emotion == ("happy" if happy else item.emotion if item.emotion in CLASSES else None)
    told = {problem.what: problem.action for problem in problems}
    for name, problem in written.untargeted.items():
        listed = name in ids
        relabelled = listed and problem.what.endswith("labelled xxx, none of the six")
        what = problem.what + (", and in the id list" if listed else "")
        assert told[what] == ("happy" if relabelled else "kept as context")
    assert ("Ses04F_impro01_F000 is not in the release" in told) == ("Ses04F_impro01_F000" in ids)


PLAIN_TURN = {
    "gender": "F",
    "start": 1.0,
    "seconds": 2.0,
    "label": "exc",
    "vad": (1.0, 5.0, 2.5),
    "text": "Hi.",
    "oddity": None,
}
PLAIN: dict[str, Any] = {
    "dialogues": {name: {"turns": [PLAIN_TURN], "oddities": set()} for name in DIALOGUES},
    "oddities": set(),
}


def test_corpus_folder_keeps_media_and_preset_name(tmp_path: Path) -> None:
    written = write_iemocap(PLAIN, tmp_path / "iemocap")
    corpus, problems = read_iemocap(written.root, validation=VALIDATION)
    write_corpus(corpus, tmp_path / "corpus", problems)
    again = read_corpus(tmp_path / "corpus")
    assert again.digest() == corpus.digest()
    assert (again.name, again.vad_range, again.unseen_class) == ("iemocap", (1.0, 5.0), "happy")
    [utterance] = again.dialogues[0].utterances
    assert utterance.emotion == "excited"
    for path in (utterance.audio_path, utterance.video_path):
        assert path is not None
        assert media_file(tmp_path / "corpus", path).is_file()


def test_classes_are_those_of_the_synthetic_namesake_in_the_order_of_the_pickles() -> None:
    assert list(LABELS) == ["hap", "sad", "neu", "ang", "exc", "fru"]
    assert IEMOCAP_SHAPE.classes == CLASSES


def test_split_rule() -> None:
    assert len(COSMIC_VALIDATION) == 12
    assert split_of("Ses05M_impro01", COSMIC_VALIDATION) == "test"
    assert split_of("Ses01M_impro01", COSMIC_VALIDATION) == "validation"
    assert split_of("Ses01F_impro01", COSMIC_VALIDATION) == "train"


def test_two_evaluations_or_texts_of_one_utterance_are_refused(tmp_path: Path) -> None:
    root = write_iemocap(PLAIN, tmp_path).root
    name = DIALOGUES[0]
    evaluation = root / "Session1" / "dialog" / "EmoEvaluation" / f"{name}.txt"
    sound = evaluation.read_bytes()
    evaluation.write_bytes(sound + f"\n[1.0 - 2.0]\t{name}_F000\tsad\t[1.0, 1.0, 1.0]".encode())
    with pytest.raises(InputError, match=rf"{name}\.txt, row 8: {name}_F000 is evaluated otherwise in row 3"):
        read_iemocap(root, validation=VALIDATION)
    evaluation.write_bytes(sound)
    speech = root / "Session1" / "dialog" / "transcriptions" / f"{name}.txt"
    speech.write_bytes(speech.read_bytes() + f"\n{name}_F000 [001.0-002.0]: Bye.".encode())
    with pytest.raises(InputError, match=rf"{name}\.txt, row 2: {name}_F000 has another text in row 1"):
        read_iemocap(root, validation=VALIDATION)
    speech.write_bytes(b"\x81")
    with pytest.raises(InputError, match="row 1: byte 81 is neither UTF-8 nor cp1252"):
        read_iemocap(root, validation=VALIDATION)


def test_wrong_requests_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Session1/dialog/EmoEvaluation"):
        read_iemocap(tmp_path)
    with pytest.raises(InputError, match="standard-7433: this protocol needs an id list; give the 53 ids"):
        read_iemocap(tmp_path, "standard-7433")
    with pytest.raises(InputError, match="raw-7380: this protocol takes no id list"):
        read_iemocap(tmp_path, ids=["a"])
    root = write_iemocap(PLAIN, tmp_path / "release").root
    with pytest.raises(InputError, match="12 of 12 validation dialogues are no training dialogues"):
        read_iemocap(root)
