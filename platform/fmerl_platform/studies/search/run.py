"""A search from start to end: inputs -> trials -> best configuration -> comparison on fresh seeds -> report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from fmerl.card import recipe_digest
from fmerl.config import CellConfig
from fmerl.errors import InputError
from fmerl.files import replaced_file
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import command_line, provenance
from fmerl_platform.report.document import Report, ReportPaths
from fmerl_platform.report.table import Table, columns
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import Progress, silent
from fmerl_platform.studies.results import StudyResults
from fmerl_platform.studies.run import run_study
from fmerl_platform.studies.search.figures import FEWEST, full_length, importances, search_figures
from fmerl_platform.studies.search.record import record_search
from fmerl_platform.studies.search.samplers import create_sampler
from fmerl_platform.studies.search.sections import SearchFindings, headline, search_report
from fmerl_platform.studies.search.space import SearchSpace, search_space, with_paper_weights
from fmerl_platform.studies.search.stopping import NoImprovement
from fmerl_platform.studies.search.trial_store import Outcome, ended, open_study, repair
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.fingerprint import fingerprint
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study, check_study_name
from fmerl_platform.study.variant import Variant

PAPER_WEIGHTS, SEARCHED_WEIGHTS = "paper weights", "searched weights"


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for loss weights as a user defines it."""

    name: str = "search"
    """Name of its MLflow experiment."""
    corpus: str = "synthetic-iemocap"
    trials: int = 40
    """Trials in all, earlier ones counted."""
    seeds: tuple[int, ...] = (0,)
    """Seeds that every trial trains."""
    evaluation_seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    """Seeds of the comparison at the end; none of `seeds`."""
    also: tuple[str, ...] = ()
    """Fields searched besides the loss weights."""
    sampler: str = "tpe"
    """Name of the sampler (`fmerl_platform.studies.search.samplers`)."""
    patience: int | None = None
    """Trials in a row without a new best after which the search ends; None runs all."""
    inputs: InputOptions = field(default_factory=InputOptions)

    def __post_init__(self) -> None:
        check_study_name(self.name)
        if self.trials < 1:
            raise InputError("--trials", f"{self.trials} is no number of trials", "give at least 1")
        if self.patience is not None and self.patience < 1:
            raise InputError("--patience", f"{self.patience} is no number of trials", "give at least 1")
        both = sorted(set(self.seeds) & set(self.evaluation_seeds))
        if both:
            raise InputError("--evaluation-seeds", f"{both} stand in --search-seeds too", "compare on fresh seeds")


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A search whose inputs were read and checked."""

    search: Search
    inputs: CorpusInputs
    space: SearchSpace
    paper: CellConfig
    """The control with the paper's weights, where the search starts."""

    @cached_property
    def starts(self) -> dict[str, dict[str, float]]:
        """Points to try first, by name."""
        starts = {"paper": self.space.values_of(self.paper)}
        if self.paper != self.inputs.control:
            starts["given"] = self.space.values_of(self.inputs.control)
        return starts


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """Results of a search."""

    findings: SearchFindings
    comparison: StudyResults | None
    """Best configuration against the paper's weights on fresh seeds; None without anything to compare."""
    paths: ReportPaths
    best: Path
    """JSON of the best configuration's fields, which an ablation takes as its configuration."""
    database: Path
    """Optuna's database."""

    @property
    def complete(self) -> bool:
        """True if a trial ran to its end and every cell of the comparison is there."""
        return self.findings.best is not None and (self.comparison is None or self.comparison.complete)

    def report(self) -> Report:
        return search_report(self.findings)


def plan_search(search: Search, storage: Path) -> SearchPlan:
    """Read and check the inputs.

    Raises:
        InputError: Any fault of the inputs, or a control outside the search space.
    """
    study = Study(search.name, corpora=(search.corpus,), variants=PAPER[:1], inputs=search.inputs)
    (inputs,) = load_inputs(study, storage)
    paper = with_paper_weights(inputs.control)
    plan = SearchPlan(search=search, inputs=inputs, space=search_space(inputs.control, search.also), paper=paper)
    _ = plan.starts  # refuses a start outside the space
    create_sampler(search.sampler, 0)  # refuses one that is not there
    return plan


def plan_table(plan: SearchPlan) -> Table:
    """A row per searched field, and the most trainings."""
    search, control = plan.search, plan.inputs.control
    cells = search.trials * len(search.seeds) + 2 * len(search.evaluation_seeds)
    flat = control.flatten()
    return Table(
        name="search",
        caption=f"{search.trials} trials of {len(search.seeds)} seeds x at most {control.training.epochs} epochs, then "
        f"2 x {len(search.evaluation_seeds)} cells: at most {cells} trainings",
        columns=columns("field", "from", "to", "scale", "start"),
        rows=tuple(
            (
                path,
                f"{item.low:g}",
                f"{item.high:g}",
                ("logarithmic" if item.log else "linear") + (f", by {item.step}" if item.step else ""),
                f"{flat[path]:g}",
            )
            for path, item in plan.space.ranges.items()
        ),
        notes=(),
    )


def run_search(
    plan: SearchPlan, *, storage: Path, resources: Resources | None = None, progress: Progress = silent
) -> SearchResults:
    """Run the missing trials, compare, and report."""
    search, inputs, resources = plan.search, plan.inputs, resources or Resources()
    folder = (storage / "search" / search.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / ".lock", "this search is running already", "wait for it, or name another"):
        study, errors = _run_trials(plan, storage, resources, folder, progress)
        epochs = inputs.control.training.epochs
        finished = [trial for trial, how in ended(study, epochs) if how == "complete" and trial.value is not None]
        best = max(finished, key=lambda trial: trial.value or 0.0, default=None)
        comparison = None
        if best is not None:
            with replaced_file(folder / "best.json") as file:
                file.write((json.dumps(best.params, indent=2) + "\n").encode())
            searched = inputs.control.with_values(best.params)
            if searched != plan.paper:
                comparison = _compare(plan, searched, storage, resources, progress)
        full = full_length(finished)
        importance = importances(full) if len(finished) >= FEWEST else {}
        findings = SearchFindings(
            study=search.name,
            corpus=inputs.data.corpus,
            trials=ended(study, epochs),
            best=best,
            importance=importance,
            errors=errors,
            evaluation=None if comparison is None else comparison.analysis[0],
            figures=search_figures(study, full, importance) if importance else [],
            provenance={"command": command_line(), **provenance()},
        )
        paths = search_report(findings).save(folder)
        experiment = Experiment.in_storage(storage, search.name)
        record_search(experiment, study, epochs, findings, headline(findings), paths, folder / "best.json")
    return SearchResults(
        findings=findings,
        comparison=comparison,
        paths=paths,
        best=folder / "best.json",
        database=folder / "optuna.db",
    )


def _run_trials(
    plan: SearchPlan, storage: Path, resources: Resources, folder: Path, progress: Progress
) -> tuple[optuna.Study, dict[int, str]]:
    """The study with all its trials, and the errors of those that failed, of this run and of earlier ones."""
    study, database = open_study(folder / "optuna.db", plan.search.name)
    _check_same(study, plan, folder)
    repair(study, plan.starts)
    before = ended(study, plan.inputs.control.training.epochs)
    done = len(before)
    stop = NoImprovement(plan.search.patience, _objectives(before))
    waiting = 0 if stop.reached else max(0, plan.search.trials - done)
    errors: dict[str, str] = study.user_attrs.get("errors", {})
    if waiting:
        from fmerl_platform.running.session import ray_session  # Ray starts slowly, and is not needed to report
        from fmerl_platform.studies.search.trials import run_trials

        with progress("trials", waiting, done) as told, ray_session():
            new = run_trials(
                plan.inputs,
                plan.space,
                plan.search.seeds,
                waiting,
                study=study,
                storage=database,
                resources=resources,
                folder=storage,
                progress=told,
                random_seed=len(study.trials),
                sampler=plan.search.sampler,
                stop=stop,
            )
        errors |= {str(number): error for number, error in new.items()}
        study.set_user_attr("errors", errors)
    return study, {int(number): error for number, error in errors.items()}


def _objectives(trials: Sequence[tuple[FrozenTrial, Outcome]]) -> list[float]:
    """Objectives in the order in which the trials ended; NaN of one that failed."""
    order = sorted((trial for trial, _ in trials), key=lambda trial: trial.datetime_complete or datetime.max)
    return [math.nan if trial.value is None else trial.value for trial in order]


def _check_same(study: optuna.Study, plan: SearchPlan, folder: Path) -> None:
    """Refuse earlier trials of other data, code, settings or ranges."""
    inputs = plan.inputs
    recipe = {
        "cell": fingerprint(inputs.control, inputs.data, inputs.anchors[inputs.control.anchors], 0),
        "seeds": list(plan.search.seeds),
        "ranges": {
            path: [item.low, item.high, item.log, *([item.step] if item.step else [])]
            for path, item in plan.space.ranges.items()
        },
    }
    digest = recipe_digest(recipe)
    if study.user_attrs.get("recipe", digest) != digest:
        what = "its trials are of other data, code, configuration, seeds or ranges"
        raise InputError(folder / "optuna.db", what, "name another --study")
    study.set_user_attr("recipe", digest)


def _compare(
    plan: SearchPlan, searched: CellConfig, storage: Path, resources: Resources, progress: Progress
) -> StudyResults:
    """Compare the best with the paper's weights on seeds and test data that the search never saw."""
    search = plan.search
    study = Study(
        f"{search.name}-comparison",
        corpora=(search.corpus,),
        variants=(
            _variant(PAPER_WEIGHTS, plan.inputs.control, plan.paper),
            _variant(SEARCHED_WEIGHTS, plan.paper, searched),
        ),
        seeds=search.evaluation_seeds,
        inputs=search.inputs,
    )
    return run_study(study, storage=storage, resources=resources, progress=progress)


def _variant(name: str, base: CellConfig, config: CellConfig) -> Variant:
    changes = config.difference(base)
    return Variant(name=name, change=lambda given: given.with_values(changes), declares=tuple(changes))
