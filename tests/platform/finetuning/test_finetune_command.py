"""The command through Ray Train: encoders, runs and a report; whatever is killed, the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import torch
from helpers.repository import EXPERIMENTS, REPOSITORY
from safetensors.torch import load_file

from fmerl.card import read_card
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.studies.results import open_study

pytestmark = pytest.mark.slow


def start(script: str, place: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    command = [sys.executable, str(EXPERIMENTS / script), "--corpus", str(place / "corpus"), *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stdout=output, stderr=output)


def tune(place: Path, storage: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    options = ["--encoder", str(place / "bert"), "--max-length", "60", "--learning-rate", "1e-3", "--batch-size", "8"]
    options += ["--cpus-per-cell", "0.5", "--checkpoint-seconds", "0", "--storage", str(storage)]
    return start("finetune_text.py", place, log, *options, *arguments)


def run_of(storage: Path) -> tuple[list[float], Any]:
    """Loss of each epoch, and predictions, of the study's only seed run."""
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "finetuning", None)
    (run,) = experiment.find(level="seed")
    assert run.info.status == "FINISHED"
    client = experiment.client()
    history = sorted(client.get_metric_history(run.info.run_id, "train_loss"), key=lambda metric: metric.step)
    predictions = pq.read_table(client.download_artifacts(run.info.run_id, "predictions.parquet"))
    return [metric.value for metric in history], predictions


@pytest.mark.timeout(1500)
def test_inputs_are_compared_and_encoders_make_features(place: Path, tmp_path: Path) -> None:
    log, storage = tmp_path / "log", tmp_path / "runs"
    asked = ("--input", "utterance", "past", "--seeds", "0", "1", "--folds", "2", "--epochs", "1")
    assert tune(place, storage, log, *asked).wait(timeout=900) == 0, log.read_text()[-3000:]
    frame = open_study("finetuning", storage).frame()
    assert list(frame["variant"]) == ["utterance", "past"]
    assert frame["verdict"][0] == "control"
    assert (storage / "reports" / "finetuning" / "report.html").is_file()
    again = time.monotonic()
    assert tune(place, storage, log, *asked).wait(timeout=300) == 0
    assert time.monotonic() - again < 120
    encoder = storage / "encoders" / "spoken" / "past" / "seed-0"
    options = ["--features", str(tmp_path / "features"), "--text-encoder", str(encoder), "--text-folds", "2"]
    extraction = start("extract_features.py", place, log, *options, "--storage", str(storage))
    assert extraction.wait(timeout=300) == 0, log.read_text()[-3000:]
    card = read_card(tmp_path / "features" / "spoken" / "text")
    assert card["supervised_on_labels"] is True
    assert card["labels_seen"]["classes"] == ["neutral", "joy", "anger"]
    assert len(card["recipe"]["folds"]) == 2


@pytest.mark.timeout(1800)
def test_killed_rank_and_killed_driver_end_with_the_same_bits(place: Path, tmp_path: Path) -> None:
    """Two ranks, dropout, and a state after every update: first a rank dies, then the driver."""
    asked, log = ("--seeds", "0", "--epochs", "20", "--workers-per-cell", "2"), tmp_path / "log"
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert tune(place, unbroken, log, *asked).wait(timeout=600) == 0, log.read_text()[-3000:]

    driver = tune(place, broken, log, *asked)
    wait_for_state(broken, driver, log).send_signal(signal.SIGKILL)
    wait_for_state(broken, driver, log, older=time.time())
    driver.kill()
    driver.wait()
    assert list((broken / "checkpoints").glob("*.resume")), "the killed encoder left no state"
    assert tune(place, broken, log, *asked).wait(timeout=600) == 0, log.read_text()[-3000:]

    (losses, predictions), (expected_losses, expected) = run_of(broken), run_of(unbroken)
    assert losses == expected_losses
    assert predictions.equals(expected)
    one, two = (
        load_file(storage / "encoders" / "spoken" / "utterance" / "seed-0" / "model.safetensors")
        for storage in (broken, unbroken)
    )
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not list((broken / "checkpoints").iterdir()), "a finished encoder's state is left behind"


def wait_for_state(storage: Path, driver: subprocess.Popen[bytes], log: Path, older: float = 0.0) -> psutil.Process:
    """A rank, once a state was written after `older`."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        assert driver.poll() is None, log.read_text()[-3000:]
        written = [path.stat().st_mtime for path in (storage / "checkpoints").glob("*.resume") if path.exists()]
        ranks = [child for child in psutil.Process(driver.pid).children(recursive=True) if _is_rank(child)]
        if ranks and any(each > older for each in written):
            return ranks[-1]
        time.sleep(0.02)
    raise AssertionError(log.read_text()[-3000:])


def _is_rank(process: psutil.Process) -> bool:
    try:
        return "RayTrainWorker" in " ".join(process.cmdline())
    except psutil.Error:
        return False
