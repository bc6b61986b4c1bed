"""How a study grows: what the platform adds to a cell in studies of more and more cells, on this machine's slots.

A cell trains nothing and leaves what a real one leaves: settings, metrics of 12 epochs, predictions under every
condition, on a corpus of a fiftieth of MELD's size. Everything around it is measured as it is: planning, Tune, MLflow
on SQLite, report, and the same command again. Each study runs in a process of its own, so that its memory is known.
What is known of a grid is printed when it ends, before its report is made.

    python benchmarks/growth.py --cells 70 700 5000

Per cell: the driver's processor time for planning, and while cells run, less that of a grid of seven; the time that a
slot was there for it. Of the study: the driver's largest resident memory, in MiB, before and after the report; seconds
from the grid's end to the report, and of the same command again. Left by a cell, in KiB on disk: in MLflow's
database, as artifacts, and in Tune's folder.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import Predictions, condition_table, prediction_table
from fmerl_platform.ledger.conditions import told
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.schema import EPOCH_METRICS
from fmerl_platform.running import worker
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import RunEvents, silent
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.plan import plan_study
from fmerl_platform.studies.run import run_plan
from fmerl_platform.study.cells import Cell, CorpusInputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study

EPOCHS = 12
SMALL = 1_000_000
"""Seed that only the small study has: what one study finished another takes over."""
PLACES = ("mlflow.db", "artifacts", "tune")
HEADINGS = (
    "cells",
    "plan ms",
    "driver ms",
    "slot ms",
    "MiB",
    "report s",
    "again s",
    "with report",
    "db",
    "files",
    "tune",
)
WIDTH = max(map(len, HEADINGS))


class Grid(NamedTuple):
    """A grid that ran."""

    seconds: float
    driver_seconds: float
    """The driver's processor time."""
    peak: int
    """Bytes of the driver's largest resident memory at its end."""


def leave(
    cell: Cell,
    inputs: CorpusInputs,
    experiment: Experiment,
    parent: str,
    files: worker.CellFiles,
    *,
    device: torch.device,
) -> str:
    """Leave what a trained cell leaves."""
    run = experiment.begin_cell(cell, parent)
    if run is None:
        return ""
    draws = np.random.default_rng(int(cell.fingerprint[:16], 16))
    for epoch in range(1, EPOCHS + 1):
        run.log_epoch(epoch, {name: float(draws.random()) for name in EPOCH_METRICS})
    test = inputs.data.subset("test")
    conditions = [condition_table(test, "first epoch", _drawn(test, draws))]
    conditions += [condition_table(test, condition.name, _drawn(test, draws)) for condition in cell.conditions]
    both = inputs.data.subset("validation", "test")
    with tempfile.TemporaryDirectory() as folder:
        worker.write_tables(Path(folder), prediction_table(both, _drawn(both, draws)), pa.concat_tables(conditions))
        experiment.tag(run.run_id, told({condition.name for condition in cell.conditions}))
        names = ("weighted_f1", "accuracy", "macro_f1", "oracle_weighted_f1")
        metrics = {f"test_{name}": float(draws.random()) for name in names}
        run.finish({**metrics, "selected_epoch": 3.0, "train_seconds": 0.0}, EPOCHS, sorted(Path(folder).iterdir()))
    return ""


def _drawn(data: ConversationData, draws: np.random.Generator) -> Predictions:
    count = len(data.label)
    return Predictions(
        draws.random((count, len(data.classes)), dtype=np.float32), draws.random((count, 3), dtype=np.float32)
    )


def measure(count: int, slots: int, folder: Path) -> None:
    """Print the row of one study."""
    worker.train_and_log = leave  # type: ignore[assignment]
    seeds = range(max(2, round(count / len(PAPER))))
    cells = len(PAPER) * len(seeds)
    grids: list[Grid] = []
    planned = 0.0

    @contextmanager
    def watched(kind: str, waiting: int, done: int) -> Iterator[RunEvents]:
        started, used = time.perf_counter(), time.process_time()
        with silent(kind, waiting, done) as events:
            yield events
        grids.append(Grid(time.perf_counter() - started, time.process_time() - used, _peak()))
        if len(grids) == 2:
            print(_line(of_grid(*grids)), end=" ", flush=True)

    def of_grid(empty: Grid, grid: Grid) -> list[str]:
        more = cells - len(PAPER)
        return [
            f"{cells}",
            f"{1000 * planned / cells:.1f}",
            f"{1000 * (grid.driver_seconds - empty.driver_seconds) / more:.1f}",
            f"{1000 * (grid.seconds - empty.seconds) * slots / more:.0f}",
            f"{grid.peak / 2**20:.0f}",
        ]

    def run(name: str, seeds: range) -> float:
        """Wall-clock time of all."""
        nonlocal planned
        study = Study(name, corpora=["synthetic-meld"], seeds=seeds, inputs=InputOptions(scale=0.02))
        started, used = time.perf_counter(), time.process_time()
        plan = plan_study(study, Ablation(), folder)
        planned = time.process_time() - used
        resources = Resources(cells_at_once=slots)
        results = run_plan(plan, storage=folder, resources=resources, progress=watched)
        assert results.complete
        return time.perf_counter() - started

    run("small", range(SMALL, SMALL + 1))
    before = _bytes(folder)
    beside = run("growth", seeds) - planned - grids[1].seconds
    after, reported = _bytes(folder), _peak()
    again = run("growth", seeds)
    row = (
        f"{beside:.1f}",
        f"{again:.1f}",
        f"{reported / 2**20:.0f}",
        *(f"{(after[name] - before[name]) / 1024 / cells:.1f}" for name in PLACES),
    )
    print(_line(row), flush=True)


def _peak() -> int:
    """Bytes of this process's largest resident memory so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _line(fields: Sequence[str]) -> str:
    return " ".join(f"{field:>{WIDTH}}" for field in fields)


def _bytes(folder: Path) -> dict[str, int]:
    """Bytes on disk of the database, artifacts and Tune's folder."""
    found = {}
    for name in PLACES:
        path = folder / name
        files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        found[name] = sum(512 * each.stat().st_blocks for each in files)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", type=int, default=[70, 700], help="default: 70 700")
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, help="cells at once (default: the cores)")
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        with tempfile.TemporaryDirectory() as folder:
            measure(arguments.row, arguments.slots, Path(folder))
        return
    print(_line(HEADINGS), flush=True)
    for count in arguments.cells:
        command = [sys.executable, __file__, "--slots", str(arguments.slots), "--row", str(count)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
