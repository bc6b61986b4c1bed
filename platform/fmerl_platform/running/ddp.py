"""A cell that several workers train together: Ray Train's TorchTrainer, inside the Tune trial of its group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from fmerl.training.distributed import Ranks
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.running.nodes import given_device
from fmerl_platform.running.placement import Placement
from fmerl_platform.running.worker import CellFiles, train_and_log
from fmerl_platform.study.cells import Cell, CorpusInputs

_RETRIES = 2
"""Retries of a cell after a worker died; it goes on from its last checkpoint."""

_PATIENCE = 30
"""Attempts, of one minute each, to get all of a cell's workers at once: the cluster may have to start nodes, for the
first time or in place of lost ones."""

DRIVER = {"node:__internal_head__": 0.001}
"""Resources of the trial itself: its workers hold the CPUs and GPUs, and a trial without any resource is refused."""


def train_on_workers(
    cell: Cell,
    inputs: CorpusInputs,
    experiment: Experiment,
    parent: str,
    files: CellFiles,
    placement: Placement,
    storage: Path,
) -> str:
    """Run `train_and_log` over `cell.config.training.workers` processes: NCCL on GPUs, else Gloo."""
    config = {"cell": cell, "inputs": ray.put(inputs), "experiment": experiment, "parent": parent, "files": files}
    name, workers = f"cell-{cell.fingerprint[:16]}", cell.config.training.workers
    if error := fit_on_workers(_train, config, name, workers, placement, storage, attempts=_PATIENCE):
        return error
    if any(run.info.status == "FINISHED" for run in experiment.runs_of(cell.fingerprint)):
        return ""
    return logged_error(experiment, cell.fingerprint, "left no result")


def fit_on_workers(
    train: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    name: str,
    workers: int,
    placement: Placement,
    storage: Path,
    attempts: int = -1,
) -> str:
    """Run a function in several processes by Ray Train: NCCL on GPUs, else Gloo.

    Args:
        train: Function of each process.
        config: Its argument.
        name: Name of the run, by which its state is found again.
        workers: Number of processes.
        placement: Resources of each.
        storage: Folder of Train's own files.
        attempts: Attempts to get all workers at once; -1 tries for ever.

    Returns:
        What went wrong with the processes themselves; empty if they ended.
    """
    on_gpu = placement.gpus > 0
    trainer = TorchTrainer(
        train,
        train_loop_config=config,
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers, use_gpu=on_gpu, resources_per_worker=placement.by_name
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=str(storage.resolve()),
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
            failure_config=ray.train.FailureConfig(
                max_failures=_RETRIES,
                controller_failure_limit=attempts,  # type: ignore[call-arg]
            ),
        ),
    )
    try:
        trainer.fit()
    except ray.train.ControllerError as error:
        return f"its workers could not be started: {error}"
    except ray.train.TrainingFailedError as error:
        return f"its workers died {_RETRIES + 1} times: {error}"
    return ""


def logged_error(experiment: Experiment, fingerprint: str, otherwise: str) -> str:
    """The first error that a cell's runs tell."""
    runs = experiment.runs_of(fingerprint)
    return next((run.data.tags[Tag.ERROR] for run in runs if Tag.ERROR in run.data.tags), otherwise)


def this_rank() -> tuple[Ranks, torch.device]:
    """This process among those of its Ray Train run, and the device that Ray gave it."""
    context = ray.train.get_context()
    device = given_device()
    if device.type == "cuda":
        device = get_device()  # which gives a worker without any GPU the first one
    return Ranks(context.get_world_rank(), context.get_world_size()), device


def _train(config: dict[str, Any]) -> None:
    ranks, device = this_rank()
    train_and_log(**{**config, "inputs": ray.get(config["inputs"])}, ranks=ranks, device=device)
