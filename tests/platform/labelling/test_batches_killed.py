"""The labelling script really killed by SIGKILL at stages of a batch: rerun, it ends complete, and all is paid once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.batch_endpoint import BatchEndpoint, Fate
from helpers.labelling_endpoint import SENTINEL, completion, right_answer, talk
from helpers.repository import EXPERIMENTS, REPOSITORY

from fmerl.card import read_card
from fmerl.corpus import write_corpus
from fmerl.supervision.labels import read_labels_of
from fmerl_platform.asking.journal import JournalReader

CORPUS = talk([f"utterance number {row}" for row in range(160)])
CALLS = 156 * 3 + 2 * 3 + 10 * 3
"""Utterances of train and validation, classes and retest, in three dimensions each."""


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["upload", "created", "look", "errors"])
def test_killed_command_pays_for_nothing_twice(server: BatchEndpoint, tmp_path: Path, stage: str) -> None:
    server.fates = [
        Fate(status="expired", execute=lambda body, row: (200, completion(right_answer(body))) if row % 3 else None)
    ]
    write_corpus(CORPUS, tmp_path / "corpus")
    prices = {"currency": "EUR", "per_tokens": 1000, "models": {"judge": {"prompt": 1, "completion": 10}}}
    (tmp_path / "prices.json").write_text(json.dumps(prices))
    command: list[str | Path] = [sys.executable, EXPERIMENTS / "label_corpus.py", "--corpus", tmp_path / "corpus"]
    command += ["--labels", tmp_path / "labels", "--storage", tmp_path / "runs", "--model", "judge", "--batch"]
    command += ["--decoding", "text", "--retest", "10", "--prices", tmp_path / "prices.json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        process = subprocess.Popen(
            [*command, *more], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        server.at = lambda reached: kill(process) if reached == stage and not more else False
        told, _ = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, told)

    def kill(process: subprocess.Popen[str]) -> bool:
        server.at = lambda reached: False
        os.kill(process.pid, signal.SIGKILL)
        return True

    dry = run("--dry-run").stdout
    assert "cost: about" in dry
    assert "with --batch: about" in dry
    assert run().returncode == -signal.SIGKILL
    stage = "no more"
    done = run()
    assert done.returncode == 0, done.stdout
    assert f"{CALLS:,} answers" in done.stdout
    entries = JournalReader(tmp_path / "runs" / "labelling" / "talk" / "journal").entries
    assert len(entries) == CALLS
    assert all(len(found) == 1 for found in entries.values())
    assert set(server.charged.values()) == {1}
    assert len(server.charged) + len(server.requests) == CALLS
    assert read_labels_of(tmp_path / "labels", CORPUS).labelled.sum() == 156
    usage = read_card(tmp_path / "labels" / "talk")["usage"]
    assert usage["answers_in_batches"] == CALLS - len(server.requests)
    assert usage["cost"] == pytest.approx(0.12 * len(server.requests) + 0.06 * len(server.charged))
    assert SENTINEL not in done.stdout
