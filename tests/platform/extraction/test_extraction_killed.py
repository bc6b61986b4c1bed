"""Extraction under SIGKILL: what was staged is never encoded again, and the table is that of a run without faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import counting_encoder
import numpy as np
import psutil
import pyarrow as pa
import pytest
from counting_encoder import talk, vector

from fmerl.corpus import write_corpus
from fmerl.features.store import read_features

REPOSITORY = Path(__file__).parents[3]
TEXTS = [f"utterance number {row}" for row in range(160)]
CORPUS = talk(TEXTS)
LARGEST_BLOCK = 10
"""ceil(160 / (2 workers * 8 blocks))."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Program:
    """`counting_encoder.py` in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.output = folder, folder / "encoded", folder / "output"
        self.log.touch()
        write_corpus(CORPUS, folder / "corpus")

    def start(self) -> subprocess.Popen[bytes]:
        paths = [str(REPOSITORY), str(REPOSITORY / "platform"), str(REPOSITORY / "tests")]
        command = [sys.executable, counting_encoder.__file__]
        command += [self.folder / name for name in ("corpus", "features", "runs", "encoded")]
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [*command, "0.1"],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )

    def wait(self, condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 300
        while not condition():
            assert process.poll() is None, f"ended with {process.returncode}: {self.output.read_text()[-3000:]}"
            assert time.monotonic() < deadline, self.output.read_text()[-3000:]
            time.sleep(0.02)

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        assert process.wait(timeout=300) == 0, self.output.read_text()[-3000:]

    def encoded(self) -> list[str]:
        return self.log.read_text().split()

    def staged(self) -> int:
        """Utterances in whole blocks."""
        blocks = (self.folder / "runs").glob("extraction/talk/text/*/*.arrow")
        return sum(pa.ipc.open_file(path).read_all().num_rows for path in blocks)

    def assert_table_is_whole(self) -> None:
        ids = [utterance.utterance_id for utterance in CORPUS.utterances()]
        table = read_features(self.folder / "features", "talk", "text", ids)
        np.testing.assert_array_equal(table.values, [vector(text, 4) for text in TEXTS])


def _descendants(driver: int) -> list[psutil.Process]:
    return psutil.Process(driver).children(recursive=True)


def test_killed_driver_leaves_what_was_staged(tmp_path: Path) -> None:
    program = Program(tmp_path)
    driver = program.start()
    program.wait(lambda: program.staged() >= 30, driver)
    started = _descendants(driver.pid)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    psutil.wait_procs(started, timeout=120)
    staged, before = program.staged(), len(program.encoded())
    assert 30 <= staged < 160

    program.finish(program.start())
    assert len(program.encoded()) - before == 160 - staged, "what was not staged is encoded, and nothing else"
    program.assert_table_is_whole()

    before = len(program.encoded())
    program.finish(program.start())
    assert len(program.encoded()) == before, "a table that is there was encoded again"


def test_killed_worker_costs_no_more_than_its_blocks(tmp_path: Path) -> None:
    program = Program(tmp_path)
    driver = program.start()
    program.wait(lambda: program.staged() >= 30, driver)
    victim = next(child for child in _descendants(driver.pid) if "ExtractionWorker" in " ".join(child.cmdline()))
    os.kill(victim.pid, signal.SIGKILL)
    program.finish(driver)
    times = Counter(program.encoded())
    assert set(times) == {utterance.utterance_id for utterance in CORPUS.utterances()}
    assert sum(times.values()) - 160 <= LARGEST_BLOCK, "more than the block under way was encoded again"
    program.assert_table_is_whole()
