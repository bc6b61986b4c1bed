"""A small study in processes of its own, to which something happens, and what the ledger holds before and after."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from fmerl_platform.ledger.experiment import Experiment
from helpers.fault_table import check_row, last_line
from helpers.processes import below, start, succeed, tail, wait_until


class FaultyStudy:
    """An ablation of seven cells a seed.

    Args:
        folder: An empty folder; storage and log lie in it.
        seeds: Seeds to train.
        database: MLflow's database file; in the storage unless given.
    """

    def __init__(self, folder: Path, seeds: int = 1, database: Path | None = None) -> None:
        self.storage, self.log = folder / "runs", folder / "log"
        self.database = database or self.storage / "mlflow.db"
        self.cells = 7 * seeds
        self.arguments = ["--corpus", "synthetic-meld", "--scale", "0.1", "--epochs", "3"]
        self.arguments += ["--storage", str(self.storage), "--seeds", *map(str, range(seeds))]

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        self.log.unlink(missing_ok=True)
        return start("ablation_grid.py", self.log, *self.arguments, *more)

    def wait(self, condition: Callable[[], bool], driver: subprocess.Popen[bytes]) -> None:
        wait_until(condition, driver, self.log)

    def finished(self, *, deleted: bool = False) -> dict[str, str]:
        """Fingerprints of finished seed runs by id; also deleted ones if asked for."""
        return finished_cells(self.database, deleted=deleted)

    def end(self, driver: subprocess.Popen[bytes], code: int) -> None:
        """Wait for an end with this exit status."""
        assert driver.wait() == code, tail(self.log)
        assert "Traceback" not in self.log.read_text(encoding="utf-8", errors="replace"), tail(self.log)

    def resume(self, fault: str, code: str, before: dict[str, str]) -> None:
        """Run the same command to its end, count what the fault cost, and compare with the page's row.

        Args:
            fault: Name of the page's row.
            code: Exit status that the fault led to.
            before: Cells that were finished when it came.
        """
        seen = last_line(self.log, self.storage)
        succeed(self.start(), self.log)
        self.check(fault, code, seen, before)

    def check(self, fault: str, code: str, seen: str, before: dict[str, str]) -> None:
        """Count what a fault cost a study that is finished now, and compare with the page's row."""
        after = self.finished()
        assert len(after) == self.cells, tail(self.log)
        trained = Counter(self.finished(deleted=True).values())
        lost = len(before.keys() - after.keys())
        twice = sum(trained[fingerprint] > 1 for fingerprint in trained)
        assert (lost, twice) == (0, 0)
        check_row(fault, code, seen, lost, twice)

    def experiment(self) -> Experiment:
        return Experiment.open(f"sqlite:///{self.database}", "ablation", None)


def finished_cells(database: Path, *, deleted: bool = False) -> dict[str, str]:
    """Fingerprints of finished seed runs by id, read beside the running writer; also deleted ones if asked for."""
    if not database.exists():
        return {}
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        query = (
            "select runs.run_uuid, print.value from runs "
            "join tags as level on level.run_uuid = runs.run_uuid "
            "and level.key = 'fmerl.level' and level.value = 'seed' "
            "join tags as print on print.run_uuid = runs.run_uuid and print.key = 'fmerl.fingerprint' "
            "where status = 'FINISHED'"
        )
        query += "" if deleted else " and lifecycle_stage = 'active'"
        try:
            return dict(connection.execute(query).fetchall())
        except sqlite3.OperationalError:  # tables are being made
            return {}


def workers(driver: int) -> list[psutil.Process]:
    """Tune's training processes below a driver."""
    return below(driver, "ray::ImplicitFunc")


def fill(folder: Path) -> Path:
    """A file that takes all the space that its disk has left."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return filler


def is_root() -> bool:
    """True for a user that may mount a file system of the test's own."""
    return os.geteuid() == 0
