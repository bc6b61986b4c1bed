"""Sources other than MELD and IEMOCAP, as a user imports them; one of them up to a study and its page."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.audformat_talks import segments_of, write_sounds, write_talks
from helpers.repository import EXPERIMENTS

from fmerl.corpus import SPLITS, read_corpus
from fmerl.features.store import FeatureTable, write_features
from fmerl_platform import PAPER, InputOptions, Study, run_study


def run(monkeypatch: pytest.MonkeyPatch, script: str, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(EXPERIMENTS / script), run_name="__main__")
    return left.value.code


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    """A small one of each kind, with three dialogues in each split."""
    folder = tmp_path / "sources"
    for name in ("dailydialog", "emorynlp", "convokit"):
        (folder / name).mkdir(parents=True)
    for split, name, csv_name in (("train", "train", "train"), ("validation", "dev", "dev"), ("test", "test", "test")):
        (folder / "dailydialog" / split).mkdir()
        files = folder / "dailydialog" / split
        (files / f"dialogues_{split}.txt").write_text("Hi . __eou__ Oh ! __eou__\n")
        (files / f"dialogues_emotion_{split}.txt").write_text("0 4 \n")
        rows = f"Hi.,['Ann'],Joyful,1,1,{len(name)},2,,\nOh!,['Bob'],Mad,1,2,{len(name)},2,,\n"
        header = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time\n"
        (folder / "emorynlp" / f"emorynlp_{csv_name}_final.csv").write_text(header + rows)
    seasons = folder / "emorynlp" / "emorynlp_test_final.csv"
    seasons.write_text(seasons.read_text().replace(",4,2,", ",9,2,"))
    records = [
        {"id": f"{talk}_{turn}", "conversation_id": f"{talk}_0", "speaker": "a", "text": "x", "meta": {"emotion": mood}}
        for talk in range(3)
        for turn, mood in enumerate(("joy", "anger"))
    ]
    (folder / "convokit" / "utterances.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    turns = [{"speaker": "a", "text": "x", "emotion": mood} for mood in ("joy", "anger")]
    chats = [{"id": split, "split": split, "messages": turns} for split in SPLITS]
    (folder / "chats.json").write_text(json.dumps(chats))
    write_talks(folder / "audformat", segments_of(3))
    return {name: folder / name for name in ("dailydialog", "emorynlp", "convokit", "audformat")} | {
        "conversations": folder / "chats.json"
    }


def test_every_source_becomes_a_corpus_with_its_classes_mapped(
    sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for source, path in sources.items():
        output = tmp_path / source
        assert run(monkeypatch, "import_corpus.py", f"--{source}", path, "--output", output, "--dry-run") == 0
        assert not output.exists()
        assert run(monkeypatch, "import_corpus.py", f"--{source}", path, "--output", output) == 0
        corpus = read_corpus(output)
        assert {dialogue.split for dialogue in corpus.dialogues} == set(SPLITS)
        assert corpus.class_map == {}
        first = next(item.emotion for item in corpus.utterances() if item.emotion is not None)
        command = ("import_corpus.py", f"--{source}", path, "--output", output, "--classes", f"{first}=calm")
        assert run(monkeypatch, *command) == 0
        mapped = read_corpus(output)
        assert (mapped.class_map[first], first in mapped.classes) == ("calm", False)
        assert [item.utterance_id for item in mapped.utterances()] == [
            item.utterance_id for item in corpus.utterances()
        ]
        assert mapped.name == f"{corpus.name}-{len(corpus.classes)}"
        assert f"calm from {first}" in capfd.readouterr().out
        assert run(monkeypatch, *command, "--name", "mine") == 0
        assert read_corpus(output).name == "mine"
        assert run(monkeypatch, *command, "--name", "my own") == 2
        assert "--name my own: it cannot name a folder; write it as my-own" in capfd.readouterr().err


def test_a_split_that_a_map_leaves_without_targets_is_refused(
    sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    chats = json.loads(sources["conversations"].read_text())
    chats[2]["messages"] = [{"speaker": "a", "text": "x", "emotion": "fear"}]
    sources["conversations"].write_text(json.dumps(chats))
    command = ("--conversations", sources["conversations"], "--output", tmp_path / "out", "--classes", "fear=")
    assert run(monkeypatch, "import_corpus.py", *command) == 2
    assert "--classes: no labelled utterance in split test" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_from_a_database_to_a_page_and_a_study(
    tmp_path: Path, local_ray: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    segments = segments_of(12)
    write_talks(tmp_path / "database", segments)
    write_sounds(tmp_path / "database", segments)
    corpus_folder, features = tmp_path / "corpus", tmp_path / "features"
    command = ("--audformat", tmp_path / "database", "--output", corpus_folder, "--classes", "happy=excited")
    assert run(monkeypatch, "import_corpus.py", *command) == 0
    said = "".join(capfd.readouterr().out.split())
    assert f"--media-roots{tmp_path / 'database' / 'audio'}" in said
    corpus = read_corpus(corpus_folder)
    assert len(list(corpus.utterances())) == len(segments)

    assert run(monkeypatch, "inspect_corpus.py", "--corpus", corpus_folder, "--output", tmp_path / "page") == 0
    assert "Mapped on import: excited from happy." in (tmp_path / "page" / "corpus.md").read_text()
    assert json.loads((tmp_path / "page" / "corpus.json").read_text())["class_map"]["happy"] == "excited"

    ids = tuple(item.utterance_id for item in corpus.utterances())
    values = np.random.default_rng(0).normal(size=(len(ids), 4)).astype(np.float32)
    table = FeatureTable(
        modality="text",
        utterance_ids=ids,
        values=values,
        missing=np.zeros(len(ids), bool),
        card={"recipe": {"made": "at random"}},
    )
    write_features(features, corpus.name, table)
    study = Study(
        "talks",
        corpora=[str(corpus_folder)],
        variants=[PAPER[0]],
        seeds=[0],
        inputs=InputOptions(features=features, epochs=1),
    )
    results = run_study(study, storage=tmp_path / "runs")
    assert results.complete
    assert results["FMERL"].predictions(seed=0)["gold"].notna().sum() == sum(
        item.emotion is not None for item in corpus.utterances() if item.split != "train"
    )
