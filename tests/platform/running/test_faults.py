"""Faults as they come: processes killed, storage full, locked or away. They make the table of docs/reliability.md."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from helpers.fault_table import check_row
from helpers.faulty_study import FaultyStudy, fill, is_root, workers
from helpers.processes import succeed
from helpers.ray_heads import free_port, head, head_process, lose, submitted, wait_for
from helpers.repository import REPOSITORY

from fmerl_platform.ledger.experiment import Experiment

RESUMES = "the same command resumes"


@pytest.mark.slow
def test_killed_driver(tmp_path: Path) -> None:
    study = FaultyStudy(tmp_path, seeds=2)
    driver = study.start()
    study.wait(lambda: len(study.finished()) >= 3, driver)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    before = study.finished()
    succeed(study.start(), study.log)
    study.check("Driver killed (SIGKILL) while it trains", "-9", "nothing", before)

    client, runs = study.experiment().client(), study.experiment().find(level="seed")
    assert len(runs) == study.cells
    for run in runs:
        losses = client.get_metric_history(run.info.run_id, "train_loss")
        assert [metric.step for metric in losses] == [1, 2, 3], "an epoch is missing or stands twice"
        assert len(client.get_metric_history(run.info.run_id, "test_weighted_f1")) == 1
    kept = study.finished()
    succeed(study.start(), study.log)
    assert study.finished() == kept


@pytest.mark.slow
def test_killed_worker(tmp_path: Path) -> None:
    study = FaultyStudy(tmp_path)
    driver = study.start()
    study.wait(lambda: len(study.finished()) >= 2 and bool(workers(driver.pid)), driver)
    before, victim = study.finished(), workers(driver.pid)[0]
    victim.kill()
    study.end(driver, 0)
    assert "a worker died; what it was at is begun again" in study.log.read_text()
    study.check("Worker killed (SIGKILL) while it trains", "0", "that a worker died, then the report", before)


STAGES: dict[str, Callable[[FaultyStudy], bool]] = {
    "while Ray starts": lambda study: study.log.exists() and "utterances in" in study.log.read_text(),
    "while it trains": lambda study: len(study.finished()) >= 2,
    "while it reports": lambda study: len(study.finished()) == study.cells,
}


@pytest.mark.parametrize(
    ("stage", "sent"),
    [
        pytest.param(
            stage,
            sent,
            marks=() if (stage, sent) == ("while it trains", signal.SIGTERM) else pytest.mark.slow,
            id=f"{sent.name}-{stage}",
        )
        for stage in STAGES
        for sent in (signal.SIGINT, signal.SIGTERM)
    ],
)
def test_an_interrupted_study_says_how_to_resume(stage: str, sent: signal.Signals, tmp_path: Path) -> None:
    study = FaultyStudy(tmp_path)
    driver = study.start()
    study.wait(lambda: STAGES[stage](study), driver)
    driver.send_signal(sent)
    code, word = (130, "interrupted") if sent == signal.SIGINT else (143, "terminated")
    study.end(driver, code)
    assert study.log.read_text().splitlines()[-1] == f"{word}; {RESUMES}"
    study.resume(f"{sent.name} {stage}", str(code), study.finished())


@pytest.mark.slow
def test_two_commands_at_once_make_one_database(tmp_path: Path) -> None:
    one, two = (FaultyStudy(tmp_path) for _ in range(2))
    two.log = tmp_path / "log of two"
    drivers = [(one, one.start("--study", "one")), (two, two.start("--study", "two"))]
    for study, driver in drivers:
        succeed(driver, study.log)
    for name in ("one", "two"):
        runs = Experiment.open(f"sqlite:///{one.database}", name, None).find(level="seed")
        assert [run.info.status for run in runs] == ["FINISHED"] * one.cells
    check_row("Two commands at once on a new storage", "0", "the report", lost=0, twice=0)


@pytest.mark.slow
def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    study = FaultyStudy(tmp_path)
    driver = study.start()
    study.wait(lambda: len(study.finished()) >= 1, driver)
    with closing(sqlite3.connect(study.database, isolation_level=None, timeout=60)) as other:
        other.execute("begin exclusive")
        before = study.finished()
        time.sleep(30)  # MLflow gives up after 20
        other.execute("rollback")
    succeed(driver, study.log)
    assert "another program holds MLflow's database" in study.log.read_text()
    study.check("SQLite file locked by another program for 30 s", "0", "that it waits, then the report", before)


@contextmanager
def _own_disk(folder: Path) -> Iterator[None]:
    """A file system in memory, of 60 MB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not is_root(), reason="mounts a file system")
def test_a_full_disk_ends_the_study_in_one_line(tmp_path: Path) -> None:
    study = FaultyStudy(tmp_path)
    with _own_disk(study.storage):
        driver = study.start()
        study.wait(lambda: len(study.finished()) >= 2, driver)
        filler = fill(study.storage)
        study.end(driver, 1)
        before = study.finished()
        filler.unlink()
        study.resume("Disk of the storage full while it trains", "1", before)


@pytest.mark.slow
@pytest.mark.skipif(not is_root(), reason="mounts a file system")
def test_a_read_only_storage_is_refused(tmp_path: Path) -> None:
    study = FaultyStudy(tmp_path)
    with _own_disk(study.storage):
        driver = study.start()
        study.wait(lambda: len(study.finished()) >= 2, driver)
        driver.send_signal(signal.SIGINT)
        study.end(driver, 130)
        before = study.finished()
        subprocess.run(["mount", "-o", "remount,ro", study.storage], check=True)
        study.end(study.start(), 2)
        subprocess.run(["mount", "-o", "remount,rw", study.storage], check=True)
        study.resume("Storage read-only when the command starts", "2", before)


@pytest.mark.slow
def test_a_deleted_storage_ends_the_study_in_one_line(tmp_path: Path) -> None:
    study = FaultyStudy(tmp_path)
    driver = study.start()
    study.wait(lambda: len(study.finished()) >= 2, driver)
    while study.storage.exists():  # files come and go meanwhile
        shutil.rmtree(study.storage, ignore_errors=True)
    study.end(driver, 1)
    shutil.rmtree(study.storage, ignore_errors=True)  # what Ray wrote since
    study.resume("Storage deleted while it trains", "1", {})


@contextmanager
def _server(folder: Path, port: int) -> Iterator[psutil.Process]:
    """MLflow's tracking server with its database in `folder`."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    variables = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield psutil.Process(process.pid)
    finally:
        lose(psutil.Process(process.pid))
        process.wait()


@pytest.mark.slow
def test_a_server_that_dies_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, port = FaultyStudy(tmp_path, database=tmp_path / "server.db"), free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with _server(tmp_path, port):
        driver = study.start()
        study.wait(lambda: len(study.finished()) >= 2, driver)
    before = study.finished()
    study.wait(lambda: "does not answer: waiting" in study.log.read_text(), driver)
    with _server(tmp_path, port):
        succeed(driver, study.log)
    study.check("Tracking server dies and returns", "0", "that it waits, then the report", before)


@pytest.mark.slow
def test_a_head_killed_under_a_submitted_job(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, python = tmp_path_factory.mktemp("h"), Path(sys.executable)  # Ray's sockets need a short path
    study = FaultyStudy(folder)
    job = ["python", "experiments/ablation_grid.py", *study.arguments]
    with head(REPOSITORY, python, folder / "ray") as address:
        client = submitted(address, python, study.log, job)
        study.wait(lambda: len(study.finished()) >= 2, client)
        lose(head_process(folder / "ray"))
        code = client.wait()
    before = study.finished()
    with head(REPOSITORY, python, folder / "ray2") as address:
        succeed(submitted(address, python, study.log, job), study.log)
    study.check("Head node killed under a submitted job", str(code), "that Ray's client lost the head", before)
