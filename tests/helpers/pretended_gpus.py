"""A program: cells on a Ray that says it has two GPUs, and processes in which PyTorch says it has some."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import ray
import torch

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.running.grid import run_grid
from fmerl_platform.running.nodes import nodes_of_cluster
from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import place_cells
from fmerl_platform.running.progress import silent
from fmerl_platform.running.worker import CellFiles
from fmerl_platform.study.cells import Cell, CorpusInputs, plan_cells
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study


def pretend() -> None:
    """Run in every worker's process as it starts."""
    patch.object(torch.cuda, "is_available", return_value=True).start()


def tell(
    cell: Cell, inputs: CorpusInputs, experiment: Experiment, parent: str, files: CellFiles, *, device: torch.device
) -> str:
    """In place of training: leave the GPUs that Ray gave and the device, and wait for the other cell's."""
    files.folder.mkdir(parents=True, exist_ok=True)
    (files.folder / f"{cell.seed}.json").write_text(json.dumps([ray.get_gpu_ids(), str(device)]))
    while len(list(files.folder.glob("*.json"))) < 2:
        time.sleep(0.05)
    return ""


def main(folder: Path) -> None:
    study = Study(
        "pretended",
        corpora=["synthetic-meld"],
        variants=PAPER[:1],
        inputs=InputOptions(scale=0.04, epochs=1),
    )
    inputs = load_inputs(study, folder)
    cells = plan_cells(inputs, study.variants, (0, 1))
    corpora = {item.data.corpus: item for item in inputs}
    experiment = Experiment(uri="", experiment_id="", study="pretended")
    large = replace(cells[0].config.training, batch_size=2**30, batch_unit="utterances")
    large_cells = [replace(cell, config=replace(cell.config, training=large)) for cell in cells]
    found: dict[str, object] = {}
    ray.init(
        address="local",
        num_cpus=4,
        num_gpus=2,
        object_store_memory=200 * 2**20,
        include_dashboard=False,
        runtime_env={"worker_process_setup_hook": pretend},
    )
    for name, resources in (("auto", Resources()), ("without", Resources(gpus_per_cell=0.0))):
        files = CellFiles(folder=folder / name, weights=False, every_seconds=30)
        placement = place_cells(large_cells, corpora, resources, nodes_of_cluster())
        if name == "auto":
            found["shares"] = {key: getattr(placement, key) for key in ("cpus", "gpus", "at_once")}
        with silent("cells", 2, 0) as progress:
            failures = run_grid(
                large_cells,
                corpora,
                experiment,
                {(cell.corpus, cell.variant): "" for cell in cells},
                resources=resources,
                files=files,
                storage=folder,
                progress=progress,
                train=tell,
            )
        assert not failures, failures
        found[name] = sorted(json.loads(path.read_text()) for path in files.folder.glob("*.json"))
    (folder / "found.json").write_text(json.dumps(found))
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
