"""Memory of extraction: features are never held at once, in the driver or in the workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers import counting_encoder
from helpers.counting_encoder import talk
from helpers.processes import below
from helpers.repository import REPOSITORY

from fmerl.card import read_card
from fmerl.corpus import write_corpus

WIDTH = 2048
FEW, MANY = 10_000, 100_000
LARGEST_GROWTH = 4096
"""Bytes per utterance, of a driver that keeps text, ids and fingerprints; half of a row of features."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads peaks from /proc"),
]


def _peak(process: psutil.Process) -> int:
    """Highest resident set so far, in bytes; 0 for a process that ended."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return 0 if found is None else 1024 * int(found[1])


def _peaks(folder: Path, utterances: int) -> tuple[int, int]:
    """Peaks of the driver and of the largest worker, in bytes, extracting so many utterances."""
    write_corpus(talk([f"this is what is said in utterance {row}" for row in range(utterances)]), folder / "corpus")
    (folder / "encoded").touch()
    paths = [str(REPOSITORY), str(REPOSITORY / "platform"), str(REPOSITORY / "tests")]
    command = [sys.executable, counting_encoder.__file__]
    command += [str(folder / name) for name in ("corpus", "features", "runs", "encoded")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with (folder / "output").open("wb") as output:
        started = subprocess.Popen([*command, "0", str(WIDTH)], env=environment, stdout=output, stderr=output)
    driver, of_driver, of_worker = psutil.Process(started.pid), 0, 0
    while started.poll() is None:
        of_driver = max(of_driver, _peak(driver))
        for child in below(started.pid, "ExtractionWorker"):
            of_worker = max(of_worker, _peak(child))
        time.sleep(0.1)
    assert started.returncode == 0, (folder / "output").read_text()[-3000:]
    assert read_card(folder / "features" / "talk" / "text")["rows"] == utterances
    return of_driver, of_worker


def test_memory_does_not_grow_with_the_features(tmp_path: Path) -> None:
    peaks = {}
    for utterances in (FEW, MANY):
        folder = tmp_path / str(utterances)
        folder.mkdir()
        peaks[utterances] = _peaks(folder, utterances)
        told = [f"{peak / 2**20:.0f} MiB" for peak in peaks[utterances]]
        print(f"{utterances} utterances of {WIDTH} features: driver {told[0]}, worker {told[1]}")
    for few, many in zip(peaks[FEW], peaks[MANY], strict=True):
        assert few, "no peak was seen"
        assert (many - few) / (MANY - FEW) < LARGEST_GROWTH
