"""`ray job submit`: by README's very lines, on a head started in the project, and shipped to a bare one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from helpers.ray_heads import end_all_with, environment, free_port, head, submit
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

LINES = [
    "export RAY_AUTH_MODE=token",
    "ray get-auth-token --generate > /dev/null",
    "ray start --head",
    "ray job submit -- python experiments/ablation_grid.py",
]
"""README's recipe for a head of one's own, as users type it."""


def _check(storage: Path, output: str) -> None:
    assert "succeeded" in output
    assert "4/4" in output
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "ablation", None)
    assert [run.info.status for run in experiment.find(level="seed")] == ["FINISHED"] * 4


@pytest.fixture
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ray's sockets need a path well below 107 characters."""
    return tmp_path_factory.mktemp("j")


@pytest.mark.slow
def test_job_on_a_head_started_in_the_project(short_folder: Path) -> None:
    python, storage = Path(sys.executable), short_folder / "runs"
    with head(REPOSITORY, python, short_folder / "ray") as address:
        _check(storage, submit(address, python, short_folder, grid=[*GRID, "--storage", str(storage)]))


@pytest.mark.slow
def test_job_shipped_to_a_head_without_the_project(short_folder: Path) -> None:
    python, storage = _python_without_project(short_folder / "bare"), short_folder / "runs"
    elsewhere = short_folder / "elsewhere"
    elsewhere.mkdir()
    assert subprocess.run([python, "-c", "import fmerl"], cwd=elsewhere, capture_output=True).returncode != 0
    options = ("--runtime-env", "cluster/runtime_env.yaml", "--working-dir", ".")
    with head(elsewhere, python, short_folder / "ray") as address:
        _check(storage, submit(address, python, REPOSITORY, *options, grid=[*GRID, "--storage", str(storage)]))


def test_readme_has_the_lines() -> None:
    assert [line.split("  #")[0].rstrip() for line in _recipe().splitlines()] == LINES


@pytest.mark.slow
@pytest.mark.parametrize("token", ["none", "left by an earlier run"])
def test_readme_lines_work_as_they_stand(short_folder: Path, token: str) -> None:
    home, tools, storage = (short_folder / name for name in ("home", "bin", "runs"))
    tools.mkdir()
    (home / ".ray").mkdir(parents=True)
    if token != "none":
        (home / ".ray" / "auth_token").write_text("0" * 64)
    dashboard = free_port()
    ports = f"--port={free_port()} --dashboard-port={dashboard} --ray-client-server-port={free_port()}"
    own = f"{ports} --dashboard-agent-listen-port={free_port()} --temp-dir={short_folder / 'ray'} --num-cpus=2"
    _write_tool(
        tools / "ray",
        f"""case "$1" in
            start) set -- "$@" {own} --object-store-memory=200000000 ;;
            job) set -- "$@" {shlex.join([*GRID, "--storage", str(storage)])} ;;
        esac""",
    )
    variables = {
        **environment(Path(sys.executable)),
        "HOME": str(home),
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}",
        "FMERL_TEST_HEAD": str(short_folder),
    }
    del variables["RAY_AUTH_MODE"]
    variables["PATH"] = f"{tools}{os.pathsep}{variables['PATH']}"
    log = short_folder / "log"
    try:
        with log.open("wb") as output:  # a pipe would stay open as long as the head does
            subprocess.run(["bash", "-ec", _recipe()], cwd=REPOSITORY, env=variables, stdout=output, stderr=output)
        _check(storage, log.read_text(encoding="utf-8"))
    finally:
        end_all_with("FMERL_TEST_HEAD", str(short_folder))


def _recipe() -> str:
    blocks = re.findall(r"^```bash\n(.*?)^```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (recipe,) = (block for block in blocks if "ray start" in block)
    return str(recipe)


def _write_tool(path: Path, arguments: str) -> None:
    """Ray's command, but with options of the test's own: ports that are free, and a study of seconds."""
    path.write_text(f'#!/usr/bin/env bash\n{arguments}\nexec "{sys.executable}" -m ray.scripts.scripts "$@"\n')
    path.chmod(0o755)


def _python_without_project(folder: Path) -> Path:
    """An interpreter with this one's packages but without its editable installs: a path file's path is not a site."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return folder / "bin" / "python"
