"""Cells on Ray Train: each is a `TorchTrainer` of its own, and as many run at once as the nodes hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from fmerl.corpus import Corpus
from fmerl.finetuning.folder import is_tuned
from fmerl.finetuning.systems import SYSTEMS
from fmerl_platform.finetuning.worker import TuningJob, tune_and_log
from fmerl_platform.running.ddp import fit_on_workers, logged_error, this_rank
from fmerl_platform.running.nodes import nodes_of_cluster
from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Placement, place
from fmerl_platform.running.progress import RunEvents
from fmerl_platform.study.cells import CellFailure

_GIBIBYTES = 12.0
"""Memory on a GPU of each encoder of a system, as for RoBERTa-large in float32: weights, gradients and Adam's moments,
and about as much again for the activations of a pass. BART-large has a seventh more weights and shorter inputs."""


def tune_cells(
    jobs: Sequence[TuningJob], corpus: Corpus, resources: Resources, storage: Path, progress: RunEvents
) -> list[CellFailure]:
    """Tune cells on the connected Ray cluster; returns those that failed."""
    workers = jobs[0].cell.config.workers
    encoders = max(SYSTEMS[job.cell.config.system].encoders for job in jobs)
    placement = place(resources, nodes_of_cluster(), workers=workers, gibibytes=encoders * _GIBIBYTES)
    shared = ray.put(corpus)
    waiting, running, failures = list(reversed(jobs)), dict[Any, TuningJob](), list[CellFailure]()
    while waiting or running:
        while waiting and len(running) < placement.at_once:
            job = waiting.pop()
            # The task itself only waits: its workers hold the CPUs and GPUs.
            task = _fit.remote(job, [shared], placement, storage)
            running[task] = job
            progress.started(job.cell.fingerprint)
        (ended,), _ = ray.wait(list(running), num_returns=1)
        job = running.pop(ended)
        try:
            error = ray.get(ended)
        except RayError as failure:
            error = f"its driver died: {failure}"
        if error:
            failures.append(CellFailure(cell=job.cell, error=error))
        progress.ended(job.cell.fingerprint, job.cell.name, error)
    return failures


@ray.remote(num_cpus=0, max_retries=0)
def _fit(job: TuningJob, corpus: list[Any], placement: Placement, storage: Path) -> str:
    """Tune one cell over `config.workers` processes: NCCL on GPUs, else Gloo. Returns what went wrong, or nothing."""
    cell = job.cell
    config, name = {"job": job, "corpus": corpus[0]}, f"encoder-{cell.fingerprint[:16]}"
    if error := fit_on_workers(_train, config, name, cell.config.workers, placement, storage / "train"):
        return error
    if is_tuned(cell.folder, cell.fingerprint):
        return ""
    return logged_error(job.experiment, cell.fingerprint, "left no encoder")


def _train(config: dict[str, Any]) -> None:
    ranks, device = this_rank()
    tune_and_log(config["job"], ray.get(config["corpus"]), ranks, device)
