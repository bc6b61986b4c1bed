"""`ray job submit`, both ways: on a head started in the project, and shipped to one that knows nothing of it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from helpers.ray_heads import head, submit
from helpers.repository import REPOSITORY

from fmerl_platform.ledger.experiment import Experiment

GRID = [
    "--corpus",
    "synthetic-meld",
    "--scale",
    "0.04",
    "--epochs",
    "2",
    "--seeds",
    "0",
    "1",
    "--variants",
    "w/o Valence",
]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def _check(storage: Path, output: str) -> None:
    assert "succeeded" in output
    assert "4/4" in output
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "ablation", None)
    assert [run.info.status for run in experiment.find(level="seed")] == ["FINISHED"] * 4


@pytest.fixture
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ray's sockets need a path well below 107 characters."""
    return tmp_path_factory.mktemp("j")


def test_job_on_a_head_started_in_the_project(short_folder: Path) -> None:
    python, storage = Path(sys.executable), short_folder / "runs"
    with head(REPOSITORY, python, short_folder / "ray") as address:
        _check(storage, submit(address, python, short_folder, grid=[*GRID, "--storage", str(storage)]))


def test_job_shipped_to_a_head_without_the_project(short_folder: Path) -> None:
    python, storage = _python_without_project(short_folder / "bare"), short_folder / "runs"
    elsewhere = short_folder / "elsewhere"
    elsewhere.mkdir()
    assert subprocess.run([python, "-c", "import fmerl"], cwd=elsewhere, capture_output=True).returncode != 0
    options = ("--runtime-env", "cluster/runtime_env.yaml", "--working-dir", ".")
    with head(elsewhere, python, short_folder / "ray") as address:
        _check(storage, submit(address, python, REPOSITORY, *options, grid=[*GRID, "--storage", str(storage)]))


def _python_without_project(folder: Path) -> Path:
    """An interpreter with this one's packages but without its editable installs: a path file's path is not a site."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return folder / "bin" / "python"
