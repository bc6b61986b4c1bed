"""The command through Ray Train: encoders, runs and a report; whatever is killed, the same bits."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import torch
from helpers.processes import below, start, succeed, wait_until
from safetensors.torch import load_file

from fmerl.card import read_card
from fmerl.checkpoint import Checkpoint
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.studies.results import open_study

pytestmark = pytest.mark.slow


def tune(place: Path, storage: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    options = ["--corpus", str(place / "corpus"), "--encoder", str(place / "bert"), "--max-length", "60"]
    options += ["--learning-rate", "1e-3", "--batch-size", "8", "--cpus-per-cell", "0.5", "--checkpoint-seconds", "0"]
    return start("finetune_text.py", log, *options, "--storage", storage, *arguments)


def run_of(storage: Path) -> tuple[list[float], Any]:
    """Loss of each epoch, and predictions, of the study's only seed run."""
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "finetuning", None)
    (run,) = experiment.find(level="seed")
    assert run.info.status == "FINISHED"
    client = experiment.client()
    history = sorted(client.get_metric_history(run.info.run_id, "train_loss"), key=lambda metric: metric.step)
    predictions = pq.read_table(client.download_artifacts(run.info.run_id, "predictions.parquet"))
    return [metric.value for metric in history], predictions


def test_inputs_are_compared_and_encoders_make_features(place: Path, tmp_path: Path) -> None:
    log, storage = tmp_path / "log", tmp_path / "runs"
    asked = ("--input", "utterance", "past", "--seeds", "0", "--folds", "2", "--epochs", "1")
    succeed(tune(place, storage, log, *asked), log)
    frame = open_study("finetuning", storage).frame()
    assert list(frame["variant"]) == ["utterance", "past"]
    assert frame["verdict"][0] == "control"
    assert (storage / "reports" / "finetuning" / "report.html").is_file()
    encoder = storage / "encoders" / "spoken" / "past" / "seed-0"
    made = (encoder / "card.json").read_bytes()
    succeed(tune(place, storage, log, *asked), log)
    assert (encoder / "card.json").read_bytes() == made, "a finished encoder is tuned again"
    options: list[str | Path] = [
        "--corpus",
        place / "corpus",
        "--features",
        tmp_path / "features",
        "--text-encoder",
        encoder,
    ]
    succeed(start("extract_features.py", log, *options, "--text-folds", "2", "--storage", storage), log)
    card = read_card(tmp_path / "features" / "spoken" / "text")
    assert card["supervised_on_labels"] is True
    assert card["labels_seen"]["classes"] == ["neutral", "joy", "anger"]
    assert len(card["recipe"]["folds"]) == 2


@pytest.mark.parametrize("variant", ["utterance", "MPLP"])
def test_killed_rank_and_killed_driver_end_with_the_same_bits(place: Path, tmp_path: Path, variant: str) -> None:
    """Two ranks, dropout, and a state after every update: first a rank dies, then the driver, of MPLP in its second
    stage."""
    asked, log = ["--seeds", "0", "--workers-per-cell", "2", "--epochs", "20"], tmp_path / "log"
    if variant == "MPLP":
        asked[-1:] = ["4", "--system", "mplp", "--encoder", str(place / "bart"), "--set", "first_epochs=1"]
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    succeed(tune(place, unbroken, log, *asked), log)

    driver = tune(place, broken, log, *asked)
    wait_for_state(broken, driver, log).send_signal(signal.SIGKILL)
    wait_for_state(broken, driver, log, older=time.time(), stage=2 if variant == "MPLP" else None)
    driver.kill()
    driver.wait()
    assert list((broken / "checkpoints").glob("*.resume")), "the killed encoder left no state"
    succeed(tune(place, broken, log, *asked), log)

    (losses, predictions), (expected_losses, expected) = run_of(broken), run_of(unbroken)
    assert losses == expected_losses
    assert predictions.equals(expected)
    one, two = (
        load_file(storage / "encoders" / "spoken" / variant / "seed-0" / "model.safetensors")
        for storage in (broken, unbroken)
    )
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not list((broken / "checkpoints").iterdir()), "a finished encoder's state is left behind"


def wait_for_state(
    storage: Path, driver: subprocess.Popen[bytes], log: Path, older: float = 0.0, stage: int | None = None
) -> psutil.Process:
    """A rank, once a state was written after `older`, and of this stage."""
    ranks: list[psutil.Process] = []

    def written() -> bool:
        ranks[:] = below(driver.pid, "RayTrainWorker")
        states = [path for path in (storage / "checkpoints").glob("*.resume") if path.exists()]
        return bool(ranks) and any(
            path.stat().st_mtime > older and (stage is None or (Checkpoint(path).load() or {}).get("stage") == stage)
            for path in states
        )

    wait_until(written, driver, log)
    return ranks[-1]
