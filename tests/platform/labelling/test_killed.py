"""Processes really killed by SIGKILL, against an endpoint that counts: nothing that was answered is asked twice."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.labelling_endpoint import SENTINEL, FakeEndpoint, talk
from helpers.processes import below, start, succeed, wait_until

from fmerl.corpus import write_corpus
from fmerl.supervision.labels import read_labels_of
from fmerl_platform.asking.journal import JournalReader

IN_FLIGHT = 8

pytestmark = pytest.mark.slow

CORPUS = talk([f"utterance number {row}" for row in range(160)])
CALLS = 156 * 3 + 2 * 3 + 10 * 3
"""Utterances of train and validation, classes and retest, in three dimensions each."""


class Command:
    """The labelling script in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.journal = folder, folder / "log", folder / "runs" / "labelling" / "talk" / "journal"
        write_corpus(CORPUS, folder / "corpus")

    def start(self) -> subprocess.Popen[bytes]:
        arguments: list[str | Path] = ["--corpus", self.folder / "corpus", "--labels", self.folder / "labels"]
        arguments += ["--storage", self.folder / "runs", "--model", "judge", "--decoding", "text", "--retest", "10"]
        arguments += ["--concurrency", str(IN_FLIGHT), "--timeout", "60"]
        return start("label_corpus.py", self.log, *arguments)

    def wait(self, condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        wait_until(condition, process, self.log)


def test_killed_driver_pays_for_nothing_twice(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    endpoint.delay = 0.1
    command = Command(tmp_path)
    driver = command.start()
    command.wait(lambda: len(endpoint.requests) >= CALLS // 3, driver)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    # The next run comes at once, while workers of the killed one may still be there.
    driver = command.start()
    succeed(driver, command.log)

    journal = JournalReader(command.journal)
    assert len(journal.entries) == CALLS
    assert all(len(entries) == 1 for entries in journal.entries.values()), "an answer that was kept was asked for again"
    assert CALLS <= len(endpoint.requests) <= CALLS + IN_FLIGHT, "more was repeated than was in flight"
    labels = read_labels_of(tmp_path / "labels", CORPUS)
    assert labels.labelled.sum() == 156

    before = len(endpoint.requests)
    succeed(command.start(), command.log)
    assert len(endpoint.requests) == before, "a finished label set was asked for again"
    assert SENTINEL not in command.log.read_text()


def test_killed_worker_pays_for_nothing_twice(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    endpoint.delay = 0.1
    command = Command(tmp_path)
    driver = command.start()
    command.wait(lambda: len(endpoint.requests) >= CALLS // 3, driver)
    victim = below(driver.pid, "LabelWorker")[0]
    os.kill(victim.pid, signal.SIGKILL)
    succeed(driver, command.log)
    entries = JournalReader(command.journal).entries
    assert len(entries) == CALLS
    assert all(len(found) == 1 for found in entries.values())
    assert CALLS <= len(endpoint.requests) <= CALLS + IN_FLIGHT
