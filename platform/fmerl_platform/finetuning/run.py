"""Tuning from start to end: cells -> Ray Train -> encoders and runs in MLflow -> verdicts and report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fmerl.finetuning.folder import is_tuned
from fmerl_platform.finetuning.request import TuningCell, TuningRequest
from fmerl_platform.ledger.cells import unfinished
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import command_line, provenance
from fmerl_platform.ledger.runs import StudyRuns, open_runs
from fmerl_platform.running.options import KeepOptions, Resources
from fmerl_platform.running.progress import Progress, silent
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.results import StudyResults
from fmerl_platform.studies.run import finish_study, study_lock
from fmerl_platform.study.cells import CellFailure

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TuningRun:
    """How a request is carried out."""

    storage: Path = Path("runs")
    """Folder of `mlflow.db`, artifacts, checkpoints and `reports/<study>/`."""
    resources: Resources = field(default_factory=Resources)
    """Resources of each worker of a cell."""
    checkpoint_seconds: float = 300.0
    """Least time between two saved states of an unfinished encoder."""

    def __post_init__(self) -> None:
        KeepOptions(checkpoint_seconds=self.checkpoint_seconds)  # refuses what is no time


def run_tuning(request: TuningRequest, how: TuningRun, progress: Progress = silent) -> StudyResults:
    """Tune what is not tuned yet, and report on all variants and seeds of the request.

    Raises:
        InputError: Before anything is tuned.
    """
    storage, planned = how.storage, (*request.cells, *request.fold_cells)
    absent = [cell for cell in planned if not is_tuned(cell.folder, cell.fingerprint)]
    if absent:
        _log.info(request.check())
    storage.mkdir(parents=True, exist_ok=True)
    with study_lock(storage, request.study):
        experiment = Experiment.in_storage(storage, request.study)
        record = request.record(command_line(), provenance())
        runs = open_runs(experiment, record)
        open_cells = {cell.fingerprint for cell in unfinished(experiment, request.cells)}
        # Another command may have left some of the absent ones before this one had the lock.
        open_cells |= {cell.fingerprint for cell in absent if not is_tuned(cell.folder, cell.fingerprint)}
        waiting = [cell for cell in planned if cell.fingerprint in open_cells]
        failures = _tune(waiting, request, how, experiment, runs, progress)
        return finish_study(experiment, record, runs, Ablation(), storage, failures)


def _tune(
    waiting: Sequence[TuningCell],
    request: TuningRequest,
    how: TuningRun,
    experiment: Experiment,
    runs: StudyRuns,
    progress: Progress,
) -> list[CellFailure]:
    if not waiting:
        return []
    from fmerl_platform.finetuning.ray_train import tune_cells  # Ray starts slowly
    from fmerl_platform.finetuning.worker import TuningJob
    from fmerl_platform.running.session import ray_session

    jobs = [
        TuningJob(
            cell=cell,
            experiment=experiment,
            parent=runs.variants[cell.corpus, cell.variant],
            labels_seen=request.labels_seen,
            unseen=request.unseen,
            checkpoints=(how.storage / "checkpoints").resolve(),
            every_seconds=how.checkpoint_seconds,
        )
        for cell in waiting
    ]
    done = len(request.cells) + len(request.fold_cells) - len(waiting)
    with progress("encoders", len(waiting), done) as told, ray_session(dashboard=True):
        return tune_cells(jobs, request.corpus, how.resources, how.storage, told)
