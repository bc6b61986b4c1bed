"""Cells that several workers train by Ray Train: one process's numbers, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.processes import below, start, succeed, wait_until

from fmerl_platform.ledger.experiment import Experiment

EPOCHS = 40
pytestmark = pytest.mark.slow


def train(
    storage: Path, log: Path, workers: int, *arguments: str, seeds: Sequence[str] = ("0",)
) -> subprocess.Popen[bytes]:
    small = ["--corpus", "synthetic-meld", "--scale", "0.1", "--axis", "modalities=text", "--seeds", *seeds]
    placed = ["--cells-at-once", "1", "--workers-per-cell", str(workers), "--cpus-per-cell", "0.5"]
    return start("ablation_grid.py", log, *small, *placed, "--storage", storage, *arguments)


def runs(storage: Path) -> dict[str, tuple[list[float], list[int], dict[str, float], pa.Table]]:
    """Loss and step per epoch, final metrics and predictions, by variant."""
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "ablation", None)
    client, found = experiment.client(), {}
    for run in experiment.find(level="seed"):
        assert run.info.status == "FINISHED"
        history = sorted(client.get_metric_history(run.info.run_id, "train_loss"), key=lambda metric: metric.step)
        path = client.download_artifacts(run.info.run_id, "predictions.parquet")
        found[run.data.tags["fmerl.variant"]] = (
            [metric.value for metric in history],
            [metric.step for metric in history],
            {name: value for name, value in run.data.metrics.items() if name.startswith("test_")},
            pq.read_table(path),
        )
    return found


def test_one_two_and_four_workers_give_the_same_losses(tmp_path: Path) -> None:
    """Without dropout, whose masks each rank draws for itself."""
    (tmp_path / "config.json").write_text('{"backbone.dropout": 0.0}')
    found = {}
    for workers in (1, 2, 4):
        storage, log = tmp_path / str(workers), tmp_path / "log"
        config = ("--config", str(tmp_path / "config.json"))
        succeed(train(storage, log, workers, "--epochs", "3", *config), log)
        found[workers] = runs(storage)
    for workers in (2, 4):
        for variant, (losses, steps, _, predictions) in found[workers].items():
            alone = found[1][variant]
            assert losses == pytest.approx(alone[0], abs=1e-5)
            assert steps == [1, 2, 3]
            assert predictions["utterance_id"] == alone[3]["utterance_id"]


def test_cells_that_each_need_the_whole_machine_take_turns(tmp_path: Path) -> None:
    """More cells are let loose than fit: two that each held half of their workers would wait for ever."""
    log, whole = tmp_path / "log", str((os.cpu_count() or 1) / 2)
    options = ("--epochs", "1", "--cells-at-once", "3", "--cpus-per-cell", whole)
    succeed(train(tmp_path / "runs", log, 2, *options, seeds=("0", "1")), log)
    experiment = Experiment.open(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}", "ablation", None)
    assert [run.info.status for run in experiment.find(level="seed")] == ["FINISHED"] * 4


@pytest.mark.timeout(1500)
def test_killed_rank_and_killed_driver_end_at_the_same_numbers(tmp_path: Path) -> None:
    log, unbroken, broken = tmp_path / "log", tmp_path / "unbroken", tmp_path / "broken"
    arguments = ("--epochs", str(EPOCHS), "--checkpoint-seconds", "0")
    succeed(train(unbroken, log, 2, *arguments), log)

    driver = train(broken, log, 2, *arguments)
    victim = wait_for_state(broken, driver, log)
    os.kill(victim.pid, signal.SIGKILL)
    wait_for_state(broken, driver, log, older=time.time())
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert list((broken / "checkpoints").glob("*.resume")), "the killed cell left no state"
    succeed(train(broken, log, 2, *arguments), log)

    expected, found = runs(unbroken), runs(broken)
    for variant, (losses, steps, scores, predictions) in expected.items():
        assert found[variant][0] == losses
        assert found[variant][1] == steps == list(range(1, EPOCHS + 1))
        assert found[variant][2] == scores
        assert found[variant][3].equals(predictions)
    assert not list((broken / "checkpoints").iterdir()), "a finished cell's state is left behind"


def wait_for_state(storage: Path, driver: subprocess.Popen[bytes], log: Path, older: float = 0.0) -> psutil.Process:
    """A training worker, once a cell's state was written after `older`."""
    workers: list[psutil.Process] = []

    def written() -> bool:
        times = [path.stat().st_mtime for path in (storage / "checkpoints").glob("*.resume") if path.exists()]
        workers[:] = below(driver.pid, "RayTrainWorker")
        return bool(workers) and any(time_ > older for time_ in times)

    wait_until(written, driver, log)
    return workers[0]
