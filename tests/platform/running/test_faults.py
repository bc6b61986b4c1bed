"""Processes really killed: the driver and a worker, mid-grid, by SIGKILL. Rerunning loses and repeats nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from helpers.repository import EXPERIMENTS, REPOSITORY

from fmerl_platform.ledger.experiment import Experiment

CELLS = 14


def _start(storage: Path, log: Path) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    command: list[str | Path] = [sys.executable, EXPERIMENTS / "ablation_grid.py", "--corpus", "synthetic-meld"]
    command += ["--scale", "0.1", "--epochs", "3", "--seeds", "0", "1", "--storage", storage]
    with log.open("ab") as output:
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stdout=output, stderr=output)


def _finished(storage: Path) -> set[str]:
    """Seed runs that are finished, read beside the running writer."""
    path = storage / "mlflow.db"
    if not path.exists():
        return set()
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        query = (
            "select runs.run_uuid from runs join tags on tags.run_uuid = runs.run_uuid where "
            "tags.key = 'fmerl.level' and tags.value = 'seed' and status = 'FINISHED' and lifecycle_stage = 'active'"
        )
        try:
            return {row[0] for row in database.execute(query)}
        except sqlite3.OperationalError:  # tables are being made
            return set()


def _wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode}: {log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def _workers(driver: int) -> list[psutil.Process]:
    """Tune's training processes below the driver; Ray titles them so."""
    children = psutil.Process(driver).children(recursive=True)
    return [child for child in children if _title(child).startswith("ray::ImplicitFunc")]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.timeout(800)
def test_killed_driver_and_killed_worker_lose_and_repeat_nothing(tmp_path: Path) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    driver = _start(storage, log)
    _wait(lambda: len(_finished(storage)) >= 3, driver, log)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()

    kept = _finished(storage)
    driver = _start(storage, log)
    _wait(lambda: len(_finished(storage)) >= len(kept) + 2 and bool(_workers(driver.pid)), driver, log)
    victim = _workers(driver.pid)[0]
    os.kill(victim.pid, signal.SIGKILL)
    assert driver.wait(timeout=300) == 0, log.read_text()[-3000:]

    assert kept <= _finished(storage), "a finished cell was trained again"
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "ablation", None)
    client = experiment.client()
    runs = experiment.find(level="seed")
    assert len(runs) == len({run.data.tags["fmerl.fingerprint"] for run in runs}) == CELLS
    for run in runs:
        assert run.info.status == "FINISHED"
        losses = client.get_metric_history(run.info.run_id, "train_loss")
        assert [metric.step for metric in losses] == [1, 2, 3], "an epoch is missing or stands twice"
        assert len(client.get_metric_history(run.info.run_id, "test_weighted_f1")) == 1

    before = _finished(storage)
    third = _start(storage, log)
    assert third.wait(timeout=240) == 0
    assert _finished(storage) == before


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_interrupt_leaves_with_its_code_and_says_how_to_resume(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    driver = _start(storage, log)
    _wait(lambda: len(_finished(storage)) >= 1, driver, log)
    driver.send_signal(sent)
    assert driver.wait(timeout=60) == code, log.read_text()[-3000:]
    assert "the same command resumes" in log.read_text()
