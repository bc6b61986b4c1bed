"""Training of one cell by a worker, and what it writes to MLflow."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import torch
from torch import Tensor

from fmerl.bundle.cell import write_cell_bundle
from fmerl.checkpoint import Checkpoint
from fmerl.conditions.predictions import predict_under
from fmerl.errors import LostError
from fmerl.rows import write_rows
from fmerl.training.cell import train_cell
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.loop import DivergedError
from fmerl_platform.ledger.conditions import add_conditions, finished_run, told
from fmerl_platform.ledger.experiment import CellRun, Experiment
from fmerl_platform.ledger.kept_bundles import read_kept
from fmerl_platform.ledger.schema import BUNDLE, CONDITIONS, PREDICTIONS
from fmerl_platform.study.cells import Cell, CorpusInputs


@dataclass(frozen=True, kw_only=True)
class CellFiles:
    """Folder of cells' files; on storage that all nodes share if cells are to go on elsewhere."""

    folder: Path
    weights: bool
    """Keep each cell's model as an artifact of its run."""
    every_seconds: float
    """Least time between two checkpoints of a cell that is being trained, `<fingerprint>.resume`."""

    def checkpoint(self, cell: Cell) -> Checkpoint:
        return Checkpoint(self.folder / f"{cell.fingerprint}.resume", self.every_seconds)


class TrainAndLog(Protocol):
    """Signature of `train_and_log` for a worker that trains a cell alone."""

    def __call__(
        self,
        cell: Cell,
        inputs: CorpusInputs,
        experiment: Experiment,
        parent: str,
        files: CellFiles,
        *,
        device: torch.device,
    ) -> str: ...


def train_and_log(
    cell: Cell,
    inputs: CorpusInputs,
    experiment: Experiment,
    parent: str,
    files: CellFiles,
    ranks: Ranks = ALONE,
    device: torch.device | None = None,
) -> str:
    """Train a cell that is not finished. Only rank 0 writes.

    Returns:
        Empty when the cell is finished, else what went wrong.
    """
    run = experiment.begin_cell(cell, parent) if ranks.rank == 0 else None
    if not ranks.from_first(run is not None):
        return ""
    try:
        result = train_cell(
            cell.config,
            inputs.data_of(cell.fold),
            inputs.anchors[cell.config.anchors],
            cell.seed,
            on_epoch=run.log_epoch if run else None,
            device=device,
            checkpoint=files.checkpoint(cell),
            ranks=ranks,
        )
        if run is None:
            return ""
        conditions = _tested(cell, inputs, result.weights, device)
        with tempfile.TemporaryDirectory() as folder:
            write_tables(Path(folder), result.predictions, pa.concat_tables([result.conditions, *conditions]))
            if files.weights:
                write_cell_bundle(Path(folder) / BUNDLE, result, **cell.facts(inputs))
            experiment.tag(run.run_id, told({condition.name for condition in cell.conditions}))
            run.finish(result.metrics, cell.config.training.epochs, sorted(Path(folder).iterdir()))
        files.checkpoint(cell).discard()
    except Exception as error:
        return end_failed(run, error, ranks)
    return ""


def test_and_log(
    cell: Cell,
    inputs: CorpusInputs,
    experiment: Experiment,
    parent: str,
    files: CellFiles,
    *,
    device: torch.device,
) -> str:
    """Test a finished cell, with the model that it kept, under the cell's conditions; a `TrainAndLog`."""
    client, run = experiment.client(), finished_run(experiment, cell.fingerprint)
    assert run is not None, "only finished cells are tested"
    try:
        bundle = read_kept(client, run.info.run_id)
        if bundle is None:
            return "its model is gone"
        add_conditions(client, run, _tested(cell, inputs, bundle.models[0].state_dict(), device))
    except LostError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _tested(
    cell: Cell, inputs: CorpusInputs, weights: Mapping[str, Tensor], device: torch.device | None
) -> list[pa.Table]:
    anchors = inputs.anchors[cell.config.anchors]
    return predict_under(cell.conditions, cell.config, inputs.data_of(cell.fold), anchors, cell.seed, weights, device)


def write_tables(folder: Path, predictions: pa.Table, conditions: pa.Table) -> None:
    """Write the tables that every cell leaves, under their names in the ledger."""
    for name, table in {PREDICTIONS: predictions, CONDITIONS: conditions}.items():
        write_rows(folder / name, table)


def end_failed(run: CellRun | None, error: Exception, ranks: Ranks) -> str:
    """End the run of a cell whose training raised; returns the error in words.

    Raises:
        Exception: The error itself, on several ranks: all of them diverge together, but after any other error of one
            the rest would wait for it for ever.
    """
    if run is not None:
        run.fail(error)
    if ranks.size > 1 and not isinstance(error, DivergedError):
        raise error
    return f"{type(error).__name__}: {error}"
