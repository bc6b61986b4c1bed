"""Paths that cannot be used, in every command: one line, exit 2, before any work, by the dry run too."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmerl_platform.cli.main import main

ASK = ["--model", "m"]
WRITES = {
    "ablation --storage": [],
    "main-results --storage": [],
    "zero-shot --storage": [],
    "search --storage": [],
    "meld-text --storage": ["--meld", "m", "--emobank", "e"],
    "report --output": [],
    "extract --features": ["--corpus", "c"],
    "extract --storage": ["--corpus", "c", "--features", "f"],
    "label --labels": ["--corpus", "c", *ASK],
    "label --storage": ["--corpus", "c", "--labels", "l", *ASK],
    "llm-baselines --storage": ["--corpus", "c"],
    "import-corpus --output": ["--meld", "m"],
    "import-features --output": ["p.pkl"],
    "make-media-corpus --output": [],
    "inspect-corpus --output": ["--corpus", "c"],
    "score --output": ["--predictions", "p.csv", "--corpus", "c"],
    "export --output": [],
    "finetune-text --output": ["--corpus", "c"],
    "finetune-text --storage": ["--corpus", "c"],
    "predict --storage": ["bundle", "talk.csv"],
}
"""Options that name a folder to write in, and the others that their commands need."""

READS = {
    "import-corpus --output out --meld {file}": "give a folder",
    "extract --features f --dry-run --corpus {file}": "give a folder",
    "label --labels l --model m --dry-run --corpus {file}": "give a folder",
    "label --labels l --model m --dry-run --corpus {folder}": "write {",
    "llm-baselines --corpus synthetic-meld --dry-run --config {folder}": "give a file",
    "llm-baselines --corpus synthetic-meld --dry-run --config {folder}/none.json": "write {",
}
"""Commands that read a file where a folder is meant, or the reverse, and the remedy."""


@pytest.mark.parametrize("option", WRITES)
def test_a_file_where_a_folder_is_to_be_written(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    said = _refused(f"{option} {tmp_path}/file/out", WRITES[option], tmp_path, monkeypatch, capfd)
    assert f"{tmp_path}/file: a file stands where a folder is meant; move it, or choose another folder" in said


@pytest.mark.parametrize("command", READS)
def test_a_path_that_is_not_what_is_meant(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    paths = command.format(file=tmp_path / "file", folder=tmp_path / "folder")
    said = _refused(paths, [], tmp_path, monkeypatch, capfd)
    assert f"; {READS[command]}" in said


def _refused(
    command: str,
    others: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> str:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    name, *arguments = command.split()
    with pytest.raises(SystemExit) as left:
        main([name, *others, *arguments])
    said = capfd.readouterr().err
    assert left.value.code == 2, said
    assert said.count("\n") == 1, said
    assert sorted(folder.rglob("*")) == before
    return said
