"""A study from start to end: inputs -> cells -> Ray Tune -> MLflow -> analysis -> report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fmerl_platform.ledger.cells import mark_failed, unfinished
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import command_line, provenance
from fmerl_platform.ledger.runs import StudyRuns, open_runs
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.placement import Resources
from fmerl_platform.running.progress import Progress, silent
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.kind import StudyKind
from fmerl_platform.studies.results import StudyResults
from fmerl_platform.study.cells import Cell, CellFailure, CorpusInputs, plan_cells
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.record import record_study
from fmerl_platform.study.study import Study

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How cells are trained and what they leave besides their results."""

    resources: Resources = field(default_factory=Resources)
    keep_weights: bool = False
    """Keep weights in STORAGE/checkpoints."""
    checkpoint_seconds: float = 30.0
    """Least time between two saved states of an unfinished cell."""


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """A study whose inputs were read and checked."""

    study: Study
    kind: StudyKind
    inputs: tuple[CorpusInputs, ...]
    cells: tuple[Cell, ...]


def plan_study(study: Study, kind: StudyKind, storage: Path) -> StudyPlan:
    """Read and check all inputs; synthetic corpora are written to `storage`.

    Raises:
        InputError, StudyError: Any fault of the inputs or of the study.
    """
    study = study.stored_in(storage)
    inputs = load_inputs(study.corpora, study.variants, study.inputs)
    cells = plan_cells(inputs, study.variants, study.seeds, kind.variants)
    return StudyPlan(study=study, kind=kind, inputs=tuple(inputs), cells=tuple(cells))


def run_study(
    study: Study,
    *,
    storage: Path | str = "runs",
    kind: StudyKind | None = None,
    options: RunOptions | None = None,
    progress: Progress = silent,
) -> StudyResults:
    """Train what is not trained yet, and report on everything the study asks for.

    Args:
        study: What is asked.
        storage: Folder of everything that is written: `mlflow.db`, artifacts, checkpoints, `reports/<study>/`.
        kind: How the cells are judged and shown; an ablation unless given.
        options: What a cell may use and leaves.
        progress: Told of every cell that starts or ends.

    Raises:
        InputError, StudyError: Before anything is trained.
    """
    plan = plan_study(study, kind or Ablation(), Path(storage))
    return run_plan(plan, storage=Path(storage), options=options or RunOptions(), progress=progress)


def run_plan(plan: StudyPlan, *, storage: Path, options: RunOptions, progress: Progress = silent) -> StudyResults:
    """As `run_study`, of a study whose inputs were read."""
    study, kind, cells = plan.study, plan.kind, plan.cells
    storage.mkdir(parents=True, exist_ok=True)
    # Two drivers would train each other's cells.
    with exclusive(storage / f".{study.name}.lock", "this study is running already", "wait for it, or name another"):
        experiment = Experiment.in_storage(storage, study.name)
        kind.check(experiment)
        record = record_study(
            study.name,
            study.corpora,
            study.inputs,
            plan.inputs,
            cells,
            kind=kind.name,
            kind_options=asdict(kind),  # type: ignore[call-overload]
            command=command_line(),
            provenance=provenance(),
        )
        runs = open_runs(experiment, record)
        waiting = unfinished(experiment, cells)
        if len(waiting) < len(cells):
            _log.info("%d of %d cells are finished already", len(cells) - len(waiting), len(cells))
        failures = _train(waiting, plan, experiment, runs, storage, options, progress)
        mark_failed(experiment, failures)
        results = StudyResults(experiment=experiment, record=record, kind=kind, failures=tuple(failures))
        results.publish(runs, storage / "reports" / study.name)
        runs.close(experiment, complete=not failures)
    return results


def _train(
    waiting: Sequence[Cell],
    plan: StudyPlan,
    experiment: Experiment,
    runs: StudyRuns,
    storage: Path,
    options: RunOptions,
    progress: Progress,
) -> list[CellFailure]:
    if not waiting:
        return []
    from fmerl_platform.running.grid import run_grid  # Ray starts slowly, and is not needed for finished cells
    from fmerl_platform.running.session import ray_session
    from fmerl_platform.running.worker import CellFiles

    shared = sum(values.nbytes for item in plan.inputs for values in item.data.features.values())
    dashboard = any(cell.config.training.workers > 1 for cell in waiting)
    done = len(plan.cells) - len(waiting)
    with progress("cells", len(waiting), done) as told, ray_session(shared, dashboard=dashboard):
        return run_grid(
            waiting,
            {item.data.corpus: item for item in plan.inputs},
            experiment,
            runs.variants,
            resources=options.resources,
            files=CellFiles(
                folder=(storage / "checkpoints").resolve(),
                weights=options.keep_weights,
                every_seconds=options.checkpoint_seconds,
            ),
            storage=storage,
            progress=told,
        )
