"""Processes really killed: the driver and a worker, mid-grid, by SIGKILL. Rerunning loses and repeats nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from helpers.processes import start, succeed, tail, wait_until

from fmerl_platform.ledger.experiment import Experiment

CELLS = 14


def _start(storage: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    small = ("--corpus", "synthetic-meld", "--scale", "0.1", "--epochs", "3", "--seeds", "0", "1")
    return start("ablation_grid.py", log, *small, "--storage", storage, *arguments)


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


def _workers(driver: int) -> list[psutil.Process]:
    """Tune's training processes below the driver; Ray titles them so."""
    children = psutil.Process(driver).children(recursive=True)
    return [child for child in children if _title(child).startswith("ray::ImplicitFunc")]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.slow
@pytest.mark.timeout(800)
def test_killed_driver_and_killed_worker_lose_and_repeat_nothing(tmp_path: Path) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    driver = _start(storage, log)
    wait_until(lambda: len(_finished(storage)) >= 3, driver, log)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()

    kept = _finished(storage)
    driver = _start(storage, log)
    wait_until(lambda: len(_finished(storage)) >= len(kept) + 2 and bool(_workers(driver.pid)), driver, log)
    victim = _workers(driver.pid)[0]
    os.kill(victim.pid, signal.SIGKILL)
    succeed(driver, log)

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
    succeed(third, log)
    assert _finished(storage) == before


@pytest.mark.timeout(800)
@pytest.mark.parametrize(
    ("sent", "code"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)]
)
def test_an_interrupted_study_says_how_to_resume(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    driver = _start(storage, log)
    wait_until(lambda: len(_finished(storage)) >= 1, driver, log)
    driver.send_signal(sent)
    assert driver.wait() == code, tail(log)
    assert log.read_text().splitlines()[-1].endswith("the same command resumes")


@pytest.mark.slow
@pytest.mark.timeout(800)
def test_two_commands_at_once_make_one_database(tmp_path: Path) -> None:
    storage = tmp_path / "runs"
    logs = [tmp_path / name for name in ("one", "two")]
    drivers = [_start(storage, log, "--study", log.name) for log in logs]
    for driver, log in zip(drivers, logs, strict=True):
        succeed(driver, log)
    for log in logs:
        runs = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", log.name, None).find(level="seed")
        assert [run.info.status for run in runs] == ["FINISHED"] * CELLS


@pytest.mark.slow
@pytest.mark.timeout(800)
def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    driver = _start(storage, log)
    wait_until(lambda: len(_finished(storage)) >= 1, driver, log)
    with closing(sqlite3.connect(storage / "mlflow.db", isolation_level=None, timeout=60)) as other:
        other.execute("begin exclusive")
        time.sleep(30)  # MLflow gives up after 20
        other.execute("rollback")
    succeed(driver, log)
    assert len(_finished(storage)) == CELLS
    assert "locked" not in log.read_text()
