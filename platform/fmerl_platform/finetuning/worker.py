"""Tuning of one cell by a rank of Ray Train, and what it writes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fmerl.checkpoint import Checkpoint
from fmerl.corpus import Corpus
from fmerl.finetuning.folder import write_tuned
from fmerl.finetuning.procedures import PROCEDURES
from fmerl.training.distributed import Ranks
from fmerl_platform.finetuning.request import TuningCell
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.running.worker import end_failed, write_tables


@dataclass(frozen=True, kw_only=True)
class TuningJob:
    """One cell with all that a rank needs beside the corpus."""

    cell: TuningCell
    experiment: Experiment
    parent: str
    """Id of the variant's run."""
    labels_seen: Mapping[str, Any]
    unseen: tuple[str, ...]
    checkpoints: Path
    """Folder of the state of unfinished cells, on storage that all nodes share."""
    every_seconds: float

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.checkpoints / f"{self.cell.fingerprint}.resume", self.every_seconds)


def tune_and_log(job: TuningJob, corpus: Corpus, ranks: Ranks, device: torch.device) -> str:
    """Tune a cell; leave its encoder, then finish its run. Only rank 0 writes.

    A cell of a fold has no run. One whose run is finished, but whose encoder is not there any more, is tuned again for
    the encoder alone.

    Returns:
        Empty when the cell is finished, else what went wrong.
    """
    cell = job.cell
    run = None
    if ranks.rank == 0 and cell.left_out is None:
        note = f"{cell.config.encoder} tuned on {cell.corpus}, {cell.variant}, seed {cell.seed}: `{cell.folder}`."
        run = job.experiment.begin(cell, job.parent, cell.config.flatten(), note, job.unseen)
    checkpoint = job.checkpoint
    try:
        result = PROCEDURES[cell.config.system].tune(
            corpus,
            cell.config,
            cell.seed,
            unseen=job.unseen,
            fold=cell.left_out,
            on_epoch=run.log_epoch if run else None,
            device=device,
            checkpoint=checkpoint,
            ranks=ranks,
        )
        if ranks.rank == 0:
            fields = {"recipe": cell.recipe, "labels_seen": job.labels_seen, "fingerprint": cell.fingerprint}
            write_tuned(cell.folder, result, fields)
            if run is not None:
                with tempfile.TemporaryDirectory() as folder:
                    write_tables(Path(folder), result.predictions, result.conditions)
                    run.finish(result.metrics, cell.config.all_epochs, sorted(Path(folder).iterdir()))
            checkpoint.discard()
    except Exception as error:
        return end_failed(run, error, ranks)
    return ""
