"""What a user sees in MLflow's UI, through a real browser."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

from fmerl_platform.studies.run import run_study
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study
from fmerl_platform.study.variant import by_name

SCRIPT = REPOSITORY / "docs" / "screenshots.py"


@pytest.mark.slow
def test_the_documented_pages_show_the_study(tmp_path: Path, local_ray: None) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("no Chromium on the path")
    study = Study(
        "seen",
        corpora=("synthetic-meld",),
        variants=tuple(by_name(PAPER)[name] for name in ("FMERL", "w/o Valence", "w/o Triple-loss")),
        seeds=(0, 1),
        inputs=InputOptions(scale=0.04, epochs=2),
    )
    assert run_study(study, storage=tmp_path).complete
    command: list[str | Path] = [sys.executable, SCRIPT, "--storage", tmp_path]
    command += ["--study", "seen", "--output", tmp_path / "images"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # the script fails where a page lacks the study's names and metrics
    pictures = sorted((tmp_path / "images").glob("*.png"))
    assert len(pictures) == 4
    for picture in pictures:
        header = picture.read_bytes()[:24]
        assert header.startswith(b"\x89PNG")
        assert struct.unpack(">II", header[16:])[0] >= 1500
        assert picture.stat().st_size > 20_000, "a blank page is smaller"
