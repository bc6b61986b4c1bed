"""A study from start to end: inputs -> cells -> Ray Tune -> MLflow -> analysis -> report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fmerl_platform.ledger.cells import mark_failed, unfinished
from fmerl_platform.ledger.conditions import Untested, untested
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import command_line, provenance
from fmerl_platform.ledger.reuse import reuse
from fmerl_platform.ledger.runs import StudyRuns, open_runs
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.options import KeepOptions, Resources
from fmerl_platform.running.progress import Progress, silent
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.kind import StudyKind
from fmerl_platform.studies.plan import StudyPlan, plan_study
from fmerl_platform.studies.results import StudyResults
from fmerl_platform.study.cells import Cell, CellFailure
from fmerl_platform.study.record import StudyRecord, record_study
from fmerl_platform.study.study import Study

if TYPE_CHECKING:
    from fmerl_platform.running.worker import TrainAndLog

_log = logging.getLogger(__name__)


def run_study(
    study: Study,
    *,
    storage: Path | str = "runs",
    kind: StudyKind | None = None,
    resources: Resources | None = None,
    keep: KeepOptions | None = None,
    progress: Progress = silent,
) -> StudyResults:
    """Train what is not trained yet, and report on everything the study asks for.

    Args:
        study: The study to run.
        storage: Folder of everything that is written: `mlflow.db`, artifacts, checkpoints, `reports/<study>/`.
        kind: Analysis and report of the cells; an ablation unless given.
        resources: Resources of a cell.
        keep: Files that cells leave besides their results.
        progress: Shows every cell that starts or ends.

    Raises:
        InputError, StudyError: Before anything is trained.
    """
    plan = plan_study(study, kind or Ablation(), Path(storage))
    return run_plan(plan, storage=Path(storage), resources=resources, keep=keep, progress=progress)


def run_plan(
    plan: StudyPlan,
    *,
    storage: Path,
    resources: Resources | None = None,
    keep: KeepOptions | None = None,
    progress: Progress = silent,
) -> StudyResults:
    """Run a study, as `run_study` does, whose inputs were read."""
    study, kind, cells = plan.study, plan.kind, plan.cells
    storage.mkdir(parents=True, exist_ok=True)
    with study_lock(storage, study.name):
        experiment = Experiment.in_storage(storage, study.name)
        kind.others(experiment)  # refused before anything is trained
        record = record_study(
            study,
            plan.inputs,
            cells,
            kind=kind.name,
            kind_options=asdict(kind),  # type: ignore[call-overload]
            command=command_line(),
            provenance=provenance(),
        )
        seeds = experiment.find(level="seed")
        runs = open_runs(experiment, record, seeds)
        waiting = unfinished(experiment, cells, seeds)
        if len(waiting) < len(cells):
            _log.info("%d of %d cells are finished already", len(cells) - len(waiting), len(cells))
        here, waiting = len(waiting), reuse(experiment, waiting, runs.variants)
        if len(waiting) < here:
            _log.info("%d cells are reused from other studies", here - len(waiting))
        grid = _Grid(plan, experiment, runs, storage, resources or Resources(), keep or KeepOptions(), progress)
        failures = grid.train(waiting)
        failures += grid.test(untested(experiment, cells, None if here else seeds))
        return finish_study(experiment, record, runs, kind, storage, failures)


def study_lock(storage: Path, study: str) -> AbstractContextManager[None]:
    """Lock of a study that is running: two drivers would train each other's cells."""
    return exclusive(storage / f".{study}.lock", "this study is running already", "wait for it, or name another")


def finish_study(
    experiment: Experiment,
    record: StudyRecord,
    runs: StudyRuns,
    kind: StudyKind,
    storage: Path,
    failures: Sequence[CellFailure],
) -> StudyResults:
    """End a study whose cells were trained: failures and report on its runs, and the report in `storage`."""
    mark_failed(experiment, failures)
    results = StudyResults(
        experiment=experiment,
        record=record,
        runs=runs,
        kind=kind,
        folder=storage / "reports" / record.study,
        failures=tuple(failures),
    )
    _ = results.published
    runs.close(experiment, complete=not failures)
    return results


@dataclass(frozen=True)
class _Grid:
    """Ray Tune over cells of one study."""

    plan: StudyPlan
    experiment: Experiment
    runs: StudyRuns
    storage: Path
    resources: Resources
    keep: KeepOptions
    progress: Progress

    def train(self, cells: Sequence[Cell]) -> list[CellFailure]:
        if not cells:
            return []
        from fmerl_platform.running.worker import train_and_log  # PyTorch starts slowly

        return self._run(cells, "cells", len(self.plan.cells) - len(cells), train_and_log)

    def test(self, lacking: Untested) -> list[CellFailure]:
        """Test finished cells under conditions that they were not tested under when they were trained."""
        if lacking.lost:
            _log.warning(
                "%d finished cells kept no model, so they cannot be tested under conditions that they were not tested "
                "under before; run the study with --keep-weights in another --storage",
                len(lacking.lost),
            )
        if not lacking.testable:
            return []
        from fmerl_platform.running.worker import test_and_log

        alone = [replace(cell, config=cell.config.with_values({"training.workers": 1})) for cell in lacking.testable]
        return self._run(alone, "cells to test", 0, test_and_log)

    def _run(self, cells: Sequence[Cell], what: str, done: int, train: TrainAndLog) -> list[CellFailure]:
        from fmerl_platform.running.grid import run_grid  # Ray starts slowly, and is not needed for finished cells
        from fmerl_platform.running.session import ray_session
        from fmerl_platform.running.worker import CellFiles

        shared = sum(item.shared_bytes for item in self.plan.inputs)
        dashboard = any(cell.config.training.workers > 1 for cell in cells)
        with self.progress(what, len(cells), done) as told, ray_session(shared, dashboard=dashboard):
            return run_grid(
                cells,
                {item.data.corpus: item for item in self.plan.inputs},
                self.experiment,
                self.runs.variants,
                resources=self.resources,
                files=CellFiles(
                    folder=(self.storage / "checkpoints").resolve(),
                    weights=self.keep.keep_weights,
                    every_seconds=self.keep.checkpoint_seconds,
                ),
                storage=self.storage,
                progress=told,
                train=train,
            )
