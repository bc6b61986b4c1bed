"""`ray job submit`, both ways: on a head started in the project, and shipped to one that knows nothing of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fmerl_platform.tracking import Experiment

REPOSITORY = Path(__file__).parent.parent.parent
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(python: Path) -> dict[str, str]:
    """For a head and its jobs: `python` means this interpreter, and nothing of the project is on the path."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "RAY_ADDRESS")}
    return {**kept, "PATH": os.pathsep.join([str(python.parent), kept["PATH"]])}


@contextmanager
def _head(folder: Path, python: Path, temporary: Path) -> Iterator[str]:
    """A head of its own, started in `folder`; ended by its process group, never by `ray stop`."""
    dashboard = _free_port()
    command = [python, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2"]
    command += [f"--dashboard-port={dashboard}", f"--temp-dir={temporary}", "--object-store-memory=200000000"]
    for name in ("port", "ray-client-server-port", "dashboard-agent-listen-port"):
        command.append(f"--{name}={_free_port()}")
    with (temporary.parent / "head.log").open("wb") as log:
        head = subprocess.Popen(
            command, cwd=folder, env=_environment(python), stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{dashboard}"
    try:
        _await(f"{address}/api/version", head)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(head.pid, signal.SIGTERM)
        head.wait(timeout=60)


def _await(url: str, head: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while True:
        assert head.poll() is None, "the head ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, "the head's dashboard never answered"
            time.sleep(0.5)
        else:
            return


def _submit(address: str, python: Path, folder: Path, *options: str, storage: Path) -> str:
    command = [python, "-m", "ray.scripts.scripts", "job", "submit", f"--address={address}", *options]
    command += ["--", "python", "experiments/ablation_grid.py", *GRID, "--storage", str(storage)]
    result = subprocess.run(command, cwd=folder, env=_environment(python), capture_output=True, text=True)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-6000:]
    return output


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
    with _head(REPOSITORY, python, short_folder / "ray") as address:
        _check(storage, _submit(address, python, short_folder, storage=storage))


def test_job_shipped_to_a_head_without_the_project(short_folder: Path) -> None:
    python, storage = _python_without_project(short_folder / "bare"), short_folder / "runs"
    elsewhere = short_folder / "elsewhere"
    elsewhere.mkdir()
    assert subprocess.run([python, "-c", "import fmerl"], cwd=elsewhere, capture_output=True).returncode != 0
    options = ("--runtime-env", "cluster/runtime_env.yaml", "--working-dir", ".")
    with _head(elsewhere, python, short_folder / "ray") as address:
        _check(storage, _submit(address, python, REPOSITORY, *options, storage=storage))


def _python_without_project(folder: Path) -> Path:
    """An interpreter with this one's packages but without its editable installs: a path file's path is not a site."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return folder / "bin" / "python"
