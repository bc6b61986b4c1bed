"""The page on a corpus: same numbers in terminal, Markdown and JSON; any corpus folder will do."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.repository import EXPERIMENTS

from fmerl.synthetic import MELD_SHAPE
from fmerl.synthetic.folder import materialise


def main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["inspect_corpus.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(EXPERIMENTS / "inspect_corpus.py"), run_name="__main__")
    return left.value.code


def test_a_page_of_a_corpus_without_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = materialise(replace(MELD_SHAPE, scale=0.02), tmp_path)
    assert main(monkeypatch, "--corpus", folder, "--output", tmp_path / "page") == 0
    printed = capsys.readouterr().out
    assert "weighted F1 on synthetic-meld's test split" in printed
    rows = json.loads((tmp_path / "page" / "corpus.json").read_text(encoding="utf-8"))
    assert set(rows["inertia"]) == {"train", "validation", "test"}
    assert rows["spans"]["test"]["known"] == 0
    markdown = (tmp_path / "page" / "corpus.md").read_text(encoding="utf-8")
    assert markdown.count("\n## ") == 6
    assert (tmp_path / "page" / "corpus.html").exists()


def test_a_folder_that_is_no_corpus_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, "--corpus", tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1
