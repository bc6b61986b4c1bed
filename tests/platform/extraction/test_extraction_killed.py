"""Processes really killed by SIGKILL, while an encoder notes what it encodes: nothing staged is encoded twice."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from helpers import counting_encoder
from helpers.counting_encoder import CountingSpec, talk, vector
from helpers.processes import below, start, succeed, wait_until
from helpers.repository import REPOSITORY
from ray import cloudpickle

from fmerl.corpus import write_corpus
from fmerl.features.store import read_features
from fmerl_platform.extraction.run import ExtractionRequest, extract
from fmerl_platform.running.options import Resources

TEXTS = [f"utterance number {row}" for row in range(320)]
IDS = [f"u{row}" for row in range(len(TEXTS))]
IN_FLIGHT = 2 * 20
"""Items of the blocks that two workers hold."""

pytestmark = pytest.mark.slow


class Command:
    """An extraction in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output, self.counted = folder, folder / "output", folder / "counted"
        self.counted.touch()
        write_corpus(talk(TEXTS), folder / "corpus")

    def start(self) -> subprocess.Popen[bytes]:
        folders = [self.folder / name for name in ("corpus", "features", "runs")]
        tests = [REPOSITORY / "tests"]
        return start(counting_encoder.__file__, self.output, *folders, self.counted, "0.05", extra_path=tests)

    def wait(self, condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        wait_until(condition, process, self.output)

    def encoded(self) -> Counter[str]:
        return Counter(self.counted.read_text().split())

    def staged(self) -> int:
        """Utterances in staged blocks."""
        return sum(
            pa.ipc.open_file(path).read_all().num_rows
            for path in self.folder.glob("runs/extraction/talk/text/*/*.arrow")
        )

    def check_table(self) -> None:
        table = read_features(self.folder / "features", "talk", "text", IDS)
        np.testing.assert_array_equal(table.values, np.array([vector(text, 4) for text in TEXTS]))


def test_killed_driver_encodes_nothing_finished_again(tmp_path: Path) -> None:
    command = Command(tmp_path)
    driver = command.start()
    command.wait(lambda: command.staged() >= len(TEXTS) // 3, driver)
    workers = below(driver.pid, "ExtractionWorker")
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    # Workers outlive their driver for a moment, and may still finish a block.
    psutil.wait_procs(workers, timeout=60)
    staged, before = command.staged(), command.encoded()
    assert staged < len(TEXTS), "there is something left to do"
    driver = command.start()
    succeed(driver, command.output)
    after = command.encoded() - before
    assert after.total() == len(TEXTS) - staged
    assert command.encoded().total() <= len(TEXTS) + IN_FLIGHT
    command.check_table()

    succeed(command.start(), command.output)
    assert command.encoded() - before == after, "a finished table was encoded again"


def test_killed_worker_is_replaced(tmp_path: Path) -> None:
    command = Command(tmp_path)
    driver = command.start()
    victims: list[psutil.Process] = []

    def staged() -> bool:
        victims[:] = below(driver.pid, "ExtractionWorker")
        return bool(victims) and command.staged() >= len(TEXTS) // 3

    command.wait(staged, driver)
    victims[0].kill()
    succeed(driver, command.output)
    assert len(TEXTS) <= command.encoded().total() <= len(TEXTS) + IN_FLIGHT // 2
    command.check_table()


def test_item_that_kills_its_worker_is_a_listed_problem(local_ray: None, tmp_path: Path) -> None:
    cloudpickle.register_pickle_by_value(counting_encoder)
    texts = TEXTS[:40]
    write_corpus(talk(texts), tmp_path / "corpus")
    request = ExtractionRequest(
        corpus=tmp_path / "corpus",
        features=tmp_path / "features",
        specs=[CountingSpec(log=tmp_path / "log", dies=texts[7])],
        storage=tmp_path / "runs",
        resources=Resources(cells_at_once=2),
    )
    extract(request)
    table = read_features(tmp_path / "features", "talk", "text", IDS[:40])
    assert table.missing.nonzero()[0].tolist() == [7]
    assert (tmp_path / "features" / "talk" / "text" / "problems.csv").read_text() == (
        "utterance_id,modality,reason,file\nu7,text,the encoder's process died 2 times on it,\n"
    )
