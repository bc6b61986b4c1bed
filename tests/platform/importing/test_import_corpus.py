"""import_corpus.py as a user runs it."""

from __future__ import annotations

import csv
import pickle
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.published_pickles import IEMOCAP_DIALOGUES, iemocap_pickle
from helpers.raw_iemocap import DIALOGUES, write_iemocap
from helpers.raw_meld import CLIP_FOLDERS, write_meld
from helpers.repository import EXPERIMENTS

from fmerl.corpus import read_corpus
from fmerl.corpus.readers.iemocap.ids import COSMIC_VALIDATION

SCRIPT = EXPERIMENTS / "import_corpus.py"
TURN = {"gender": "F", "start": 1.0, "seconds": 2.0, "label": "xxx", "vad": (1, 5, 2.5), "text": "Hi.", "oddity": None}
IEMOCAP: dict[str, Any] = {
    "dialogues": {
        name: {"turns": [TURN, {**TURN, "start": 4.0, "label": "sad"}], "oddities": set()} for name in DIALOGUES
    },
    "oddities": set(),
}
MELD_TURN = {"turn": 0, "text": "Hi.", "speaker": "Ross", "emotion": "joy", "oddity": None}
MELD: dict[str, Any] = {
    prefix: {"dialogues": {0: [MELD_TURN]}, "oddities": {"clip of nobody"}} for prefix in CLIP_FOLDERS
}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> int | str | None:
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return left.value.code


def listed(folder: Path) -> list[list[str]]:
    with (folder / "problems.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    path = tmp_path / "held_out.txt"
    path.write_text(f"{DIALOGUES[1]}\n", encoding="utf-8")
    return path


def test_meld_with_and_without_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    release = tmp_path / "meld"
    release.mkdir()
    write_meld(MELD, release)
    assert run(monkeypatch, "--meld", release, "--output", tmp_path / "text") == 0
    assert all(item.video_path is None for item in read_corpus(tmp_path / "text").utterances())
    monkeypatch.chdir(release)
    for place in ((), (".",)):
        assert run(monkeypatch, "--meld", release, "--media", *place, "--output", tmp_path / "media") == 0
        assert all(item.video_path for item in read_corpus(tmp_path / "media").utterances())
    said = capfd.readouterr().out
    assert "3 ignored" in said
    assert "".join(f"--media-roots {release.resolve()}".split()) in "".join(said.split()), "extraction's root"
    assert said.count("warning: 1 utterances in 1 dialogues, where MELD's train has 9,989 in 1,038: kept") == 3
    assert len(listed(tmp_path / "media")) == 6


def test_classes_are_mapped_and_the_folder_says_so(
    tmp_path: Path, held_out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    turns = [
        {**TURN, "start": 4.0 * place, "label": label}
        for place, label in enumerate(("exc", "hap", "fru", "neu", "xxx"))
    ]
    write_iemocap(
        {"dialogues": {name: {"turns": turns, "oddities": set()} for name in DIALOGUES}, "oddities": set()},
        release := tmp_path / "iemocap",
    )
    command = ("--iemocap", release, "--validation", held_out, "--classes", "iemocap-4", "--output", tmp_path / "four")
    assert run(monkeypatch, *command, "--dry-run") == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "15 utterances in 3 dialogues, 9 targets" in said
    assert "classes happy 6, sad 0, neutral 3, angry 0 mapped happy from happy and excited; frustrated without" in said
    assert run(monkeypatch, *command) == 0
    corpus = read_corpus(tmp_path / "four")
    assert corpus.classes == ("happy", "sad", "neutral", "angry")
    assert [item.emotion for item in corpus.dialogues[0].utterances] == ["happy", "happy", None, "neutral", None]
    assert corpus.class_map["excited"] == "happy"
    assert corpus.name == "iemocap-4", "the paper's scores are of six classes"
    assert ["--classes", "0", "3 utterances of excited", "read as 'happy'"] in listed(tmp_path / "four")
    assert ["--classes", "0", "3 utterances of frustrated", "kept as context"] in listed(tmp_path / "four")
    assert run(monkeypatch, *command, "--drop-unlabelled") == 0
    assert [item.emotion for item in read_corpus(tmp_path / "four").dialogues[0].utterances] == [
        "happy",
        "happy",
        "neutral",
    ]
    assert ["iemocap-4", "0", "3 utterances without a target", "left out"] in listed(tmp_path / "four")


def test_iemocap_by_both_protocols(
    tmp_path: Path, held_out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    release = tmp_path / "iemocap"
    write_iemocap(IEMOCAP, release)
    ids = tmp_path / "ids.txt"
    ids.write_text(f"{DIALOGUES[0]}_F000\n", encoding="utf-8")
    command = ("--iemocap", release, "--validation", held_out, "--output")
    assert run(monkeypatch, *command, tmp_path / "raw", "--dry-run") == 0
    assert "6 utterances in 3 dialogues, 3 targets" in capfd.readouterr().out
    assert not (tmp_path / "raw").exists()
    assert run(monkeypatch, *command, tmp_path / "raw", "--drop-unlabelled") == 0
    assert [item.emotion for item in read_corpus(tmp_path / "raw").utterances()] == ["sad"] * 3
    assert run(monkeypatch, *command, tmp_path / "both", "--protocol", "standard-7433", "--ids", ids) == 0
    emotions = [item.emotion for item in read_corpus(tmp_path / "both").utterances()]
    assert emotions == ["happy", "sad", None, "sad", None, "sad"]
    assert [row[3] for row in listed(tmp_path / "both")].count("happy") == 1


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        ("Session5", "no utterance in split test"),
        ("evaluations", "no utterance in split train"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_release_that_makes_no_corpus_is_refused(
    spoil: str,
    what: str,
    more: list[str],
    tmp_path: Path,
    held_out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    release = tmp_path / "iemocap"
    write_iemocap(IEMOCAP, release)
    if spoil == "evaluations":
        for path in release.glob("Session*/dialog/EmoEvaluation/*.txt"):
            path.write_text("nothing that can be read")
    else:
        shutil.rmtree(release / spoil)
    command = ["--iemocap", release, "--validation", held_out, "--output", tmp_path / "out", *more]
    assert run(monkeypatch, *command) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert f"{release}: {what}" in said
    assert not (tmp_path / "out").exists()


def test_ids_come_from_the_feature_pickle_as_well(
    tmp_path: Path, held_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_iemocap(IEMOCAP, tmp_path / "iemocap")
    content = iemocap_pickle({**dict.fromkeys(sorted(COSMIC_VALIDATION), 1), DIALOGUES[0]: 1, IEMOCAP_DIALOGUES[-1]: 1})
    content[2][DIALOGUES[0]] = [0]
    (tmp_path / "features.pkl").write_bytes(pickle.dumps(tuple(content)))
    command = ("--iemocap", tmp_path / "iemocap", "--validation", held_out, "--protocol", "standard-7433")
    assert run(monkeypatch, *command, "--ids", tmp_path / "features.pkl", "--output", tmp_path / "out") == 0
    assert next(read_corpus(tmp_path / "out").utterances()).emotion == "happy"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--output", "out"], "--conversations: one of these is required, and 0 are given"),
        (
            ["--meld", ".", "--iemocap", ".", "--output", "out"],
            "--conversations: one of these is required, and 2 are given; give one source",
        ),
        (["--meld", ".", "--output", "out"], "train_sent_emo.csv: no such file"),
        (["--meld", ".", "--protocol", "raw-7380", "--output", "out"], "--protocol: not an option of --meld"),
        (["--iemocap", ".", "--media", "--output", "out"], "--media: not an option of --iemocap"),
        (["--iemocap", ".", "--output", "out"], "no Session1/dialog/EmoEvaluation"),
        (["--iemocap", ".", "--protocol", "standard-7433", "--output", "out"], "needs an id list"),
        (["--iemocap", ".", "--validation", "none.txt", "--output", "out"], "none.txt: no such file"),
        (["--emorynlp", ".", "--output", "out"], "emorynlp_train_final.csv: no such file"),
        (["--dailydialog", ".", "--output", "out"], "dialogues_train.txt: no such file"),
        (["--dailydialog", ".", "--emotion", "x", "--output", "out"], "--emotion: not an option of --dailydialog"),
        (["--convokit", ".", "--output", "out"], "utterances.json: no such file"),
        (["--convokit", ".", "--vad-range", "0", "1", "--output", "out"], "--vad-range: not an option of --convokit"),
        (["--audformat", ".", "--output", "out"], "db.yaml: no such file"),
        (["--audformat", ".", "--vad-range", "1", "1", "--output", "out"], "--vad-range: the first is not below"),
        (["--conversations", "none.csv", "--output", "out"], "none.csv: no such file"),
        (["--conversations", "none.txt", "--output", "out"], "none.txt: no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *arguments) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert what in said.replace("one of the arguments ", "")
    assert not (tmp_path / "out").exists()
