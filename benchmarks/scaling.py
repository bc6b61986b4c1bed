"""How the grid scales over nodes: cells that only sleep, on 1, 2, 4 and 8 nodes that this machine pretends to be.

All that the platform adds is measured as it is: Tune's scheduling, warm workers, reporting, each cell's run with its
metrics and artifacts in MLflow (one SQLite file). Training is not: a cell sleeps for a known time, so that more nodes
than this machine has cores can be filled. Every cell is a trial of its own, the most that Tune can be asked for.

Efficiency is the time slept over the time that workers were there for, each from its first cell's start to its last
one's end. Starting them is told apart, since here all nodes share a few cores. Driver: its processor time per cell,
less that of a grid of one empty cell per node.

    python benchmarks/scaling.py --nodes 1 2 4 8 --cell-seconds 4
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from functools import partial
from pathlib import Path

import ray
import torch
from ray.cluster_utils import Cluster

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.running.grid import run_grid
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import silent
from fmerl_platform.running.worker import CellFiles
from fmerl_platform.study.cells import Cell, CorpusInputs, plan_cells
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study

ROOT = Path(__file__).parents[1]


def sleep_and_log(
    cell: Cell,
    inputs: CorpusInputs,
    experiment: Experiment,
    parent: str,
    files: CellFiles,
    *,
    device: torch.device,
    seconds: float,
) -> str:
    """A cell of known length that leaves what a real one leaves."""
    run = experiment.begin_cell(cell, parent)
    if run is None:
        return ""
    time.sleep(seconds)
    for epoch in range(1, 13):
        run.log_epoch(epoch, dict.fromkeys(("train_loss", "validation_weighted_f1"), 0.5))
    files.folder.mkdir(parents=True, exist_ok=True)
    left = files.folder / f"{cell.fingerprint}.bin"
    left.write_bytes(bytes(200_000))
    run.finish({"test_weighted_f1": 0.5, "train_seconds": seconds, "worker": float(os.getpid())}, 12, [left])
    return ""


def measure(nodes: int, cells_per_node: int, seconds: float, folder: Path) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "platform")])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(nodes):
        cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    ray.init(address=cluster.address, logging_level=logging.ERROR, runtime_env={"env_vars": {"PYTHONPATH": paths}})
    try:
        options = InputOptions(scale=0.04, epochs=1)
        study = Study("scaling", corpora=["synthetic-meld"], variants=PAPER[:1], inputs=options)
        inputs = load_inputs(study, folder)
        experiment = Experiment.open(f"sqlite:///{folder / 'mlflow.db'}", f"scaling-{nodes}", folder / "artifacts")

        def run(seeds: range, length: float) -> tuple[float, float]:
            cells = plan_cells(inputs, study.variants, seeds)
            started, used = time.time(), time.process_time()
            with silent("cells", len(cells), 0) as progress:
                failures = run_grid(
                    cells,
                    {item.data.corpus: item for item in inputs},
                    experiment,
                    dict.fromkeys({(cell.corpus, cell.variant) for cell in cells}, ""),
                    resources=Resources(),
                    files=CellFiles(folder=folder / "left", weights=False, every_seconds=30),
                    storage=folder,
                    progress=progress,
                    train=partial(sleep_and_log, seconds=length),
                )
            assert not failures, failures
            return started, time.process_time() - used

        _, empty = run(range(1000, 1000 + nodes), 0.0)
        count = nodes * cells_per_node
        started, used = run(range(count), seconds)
        cells = [cell for cell in experiment.find(level="seed") if cell.data.metrics["train_seconds"] == seconds]
        spans: dict[float, list[int]] = {}
        for cell in cells:
            spans.setdefault(cell.data.metrics["worker"], []).extend((cell.info.start_time, cell.info.end_time))
        there = sum(max(times) - min(times) for times in spans.values()) / 1000
        start_up = min(map(min, spans.values())) / 1000 - started
        print(
            f"{nodes:5} {count:6} {start_up:10.1f} {count * seconds / there:11.3f} "
            f"{1000 * (there - count * seconds) / count:18.0f} {1000 * (used - empty) / (count - nodes):18.0f}",
            flush=True,
        )
    finally:
        ray.shutdown()
        cluster.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", nargs="+", type=int, default=[1, 2, 4, 8], help="default: 1 2 4 8")
    parser.add_argument("--cells-per-node", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--cell-seconds", type=float, default=4.0, help="default: %(default)s")
    arguments = parser.parse_args()
    os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0", RAY_memory_monitor_refresh_ms="0")
    headings = ("nodes", "cells", "start-up s", "efficiency", "ms lost per cell", "driver ms per cell")
    print(" ".join(f"{text:>{width}}" for text, width in zip(headings, (5, 6, 10, 11, 18, 18), strict=True)))
    for nodes in arguments.nodes:
        with tempfile.TemporaryDirectory() as folder:
            measure(nodes, arguments.cells_per_node, arguments.cell_seconds, Path(folder))


if __name__ == "__main__":
    main()
