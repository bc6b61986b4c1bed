"""A grid submitted to a cluster of a head and GPU nodes, one of which is lost: nothing else is."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from helpers.faulty_study import finished_cells
from helpers.processes import below
from helpers.ray_heads import free_port, head, lose, node, submit
from helpers.repository import REPOSITORY

from fmerl_platform.ledger.experiment import Experiment

SEEDS = 6


@pytest.mark.slow
def test_a_lost_node_loses_no_cell(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The head has no CPU for cells; each cell takes half of a GPU that its node only claims to have."""
    folder = tmp_path_factory.mktemp("n")
    python, storage, gcs = Path(sys.executable), folder / "runs", free_port()
    grid = ["--corpus", "synthetic-meld", "--scale", "0.1", "--epochs", "6", "--variants", "w/o Valence"]
    grid += ["--seeds", *map(str, range(SEEDS)), "--gpus-per-cell", "0.5", "--cpus-per-cell", "1"]
    grid += ["--cells-at-once", "2", "--storage", str(storage)]
    temporary, database = folder / "ray", storage / "mlflow.db"
    with (
        head(REPOSITORY, python, temporary, cpus=0, gcs_port=gcs) as address,
        node(REPOSITORY, python, temporary, gcs, gpus=1) as first,
        node(REPOSITORY, python, temporary, gcs, gpus=1) as second,
    ):
        lost: list[int] = []

        def lose_one() -> None:
            """Kill a node that trains."""
            while len(finished_cells(database)) < 2:
                time.sleep(0.2)
            training = [item for item in (first, second) if below(item.pid, "ImplicitFunc")]
            lose(psutil.Process(training[0].pid))
            lost.append(len(finished_cells(database)))

        killer = threading.Thread(target=lose_one, daemon=True)
        killer.start()
        output = submit(address, python, folder, grid=grid)
        killer.join(10)
    assert lost, "no node was killed"
    assert lost[0] < 2 * SEEDS, "the grid was over before the node was lost"
    assert "succeeded" in output
    experiment = Experiment.open(f"sqlite:///{database}", "ablation", None)
    runs = experiment.find(level="seed")
    assert len(runs) == len({run.data.tags["fmerl.fingerprint"] for run in runs}) == 2 * SEEDS
    assert {run.info.status for run in runs} == {"FINISHED"}
