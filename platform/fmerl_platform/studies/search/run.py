"""A search from start to end: inputs -> trials -> best configurations -> comparison on fresh seeds -> report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
from fmerl_platform.report.figure import ReportFigure
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import Progress, silent
from fmerl_platform.studies.results import StudyResults
from fmerl_platform.studies.search.comparison import compare, evaluation
from fmerl_platform.studies.search.figures import front_figure, full_length, importances, search_figures
from fmerl_platform.studies.search.plan import SearchPlan
from fmerl_platform.studies.search.record import TrialLog, record_search
from fmerl_platform.studies.search.sections import SearchFindings, headline, search_report
from fmerl_platform.studies.search.stopping import NoImprovement, WorseThanBest
from fmerl_platform.studies.search.trial_store import Outcome, ended, open_study, repair
from fmerl_platform.study.fingerprint import fingerprint

SEARCHED_WEIGHTS = "searched weights"


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """Results of a search."""

    findings: SearchFindings
    comparisons: tuple[StudyResults, ...]
    """Best configurations against the paper's weights on fresh seeds, by each objective; empty without anything to
    compare."""
    paths: ReportPaths
    configs: tuple[Path, ...]
    """JSON of each best configuration's fields, which an ablation takes as its configuration."""
    database: Path
    """Optuna's database."""

    @property
    def complete(self) -> bool:
        """True if a trial ran to its end and every cell of the comparisons is there."""
        return bool(self.findings.best) and all(comparison.complete for comparison in self.comparisons)

    def report(self) -> Report:
        return search_report(self.findings)


def run_search(
    plan: SearchPlan, *, storage: Path, resources: Resources | None = None, progress: Progress = silent
) -> SearchResults:
    """Run the missing trials, compare, and report."""
    search, resources = plan.search, resources or Resources()
    folder = (storage / "search" / search.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / ".lock", "this search is running already", "wait for it, or name another"):
        experiment = Experiment.in_storage(storage, search.name)
        study, log = _run_trials(plan, experiment, storage, resources, folder, progress)
        trials = ended(study, plan.steps)
        complete = [trial for trial, how in trials if how == "complete"]
        best = best_trials(study, complete)
        configs = write_configs(plan, best, folder)
        found = to_compare(plan, best)
        comparisons = tuple(
            compare(plan, objective, found, storage, resources, progress) for objective in plan.objectives if found
        )
        full = full_length(complete, len(plan.objectives))
        importance = importances(full)
        findings = SearchFindings(
            study=search.name,
            corpus=plan.inputs.data.corpus,
            objectives=plan.objectives,
            pruning=search.stops,
            trials=trials,
            best=best,
            importance=importance,
            errors=log.errors,
            evaluations=tuple(map(evaluation, comparisons)),
            figures=_figures(plan, study, full, importance),
            provenance={"command": command_line(), **provenance()},
        )
        paths = search_report(findings).save(folder)
        record_search(log, experiment, findings, headline(findings), paths, configs)
    return SearchResults(
        findings=findings, comparisons=comparisons, paths=paths, configs=configs, database=folder / "optuna.db"
    )


def _run_trials(
    plan: SearchPlan, experiment: Experiment, storage: Path, resources: Resources, folder: Path, progress: Progress
) -> tuple[optuna.Study, TrialLog]:
    """The study with all its trials, and their log."""
    search, directions = plan.search, len(plan.objectives)
    study, database = open_study(folder / "optuna.db", search.name, directions)
    _check_same(study, plan, folder)
    repair(study, plan.starts)
    log = TrialLog(experiment, study, plan.steps, [each.metric for each in plan.objectives])
    log.update()
    before = ended(study, plan.steps)
    patience = NoImprovement(search.patience, _values(before))
    waiting = 0 if patience.reached else max(0, search.trials - len(before))
    if waiting:
        from fmerl_platform.running.session import ray_session  # Ray starts slowly, and is not needed to report
        from fmerl_platform.studies.search.trials import run_trials

        worse = None
        if search.stops == "wilcoxon":
            worse = WorseThanBest(trial.intermediate_values for trial, how in before if how == "complete")
        with progress("trials", waiting, len(before)) as told, ray_session(plan.inputs.shared_bytes):
            run_trials(
                plan,
                waiting,
                study=study,
                storage=database,
                resources=resources,
                folder=storage,
                progress=told,
                patience=patience,
                worse=worse,
                log=log,
            )
    return study, log


def _values(trials: Sequence[tuple[FrozenTrial, Outcome]]) -> list[Sequence[float]]:
    """Objectives in the order in which the trials ended; none of one that failed."""
    order = sorted((trial for trial, _ in trials), key=lambda trial: trial.datetime_complete or datetime.max)
    return [trial.values or () for trial in order]


def _check_same(study: optuna.Study, plan: SearchPlan, folder: Path) -> None:
    """Refuse earlier trials of other data, code, settings, ranges, objectives or rule."""
    inputs, search = plan.inputs, plan.search
    others = {"objectives": [[each.name, *each.held_out] for each in plan.objectives], "pruning": search.stops}
    usual = {"objectives": [["weighted-f1"]], "pruning": "asha"}  # of searches before there were others
    recipe = {
        "cell": fingerprint(inputs.control, inputs.data, inputs.anchors[inputs.control.anchors], 0),
        "seeds": list(search.seeds),
        "ranges": {
            path: [item.low, item.high, item.log, *([item.step] if item.step else [])]
            for path, item in plan.space.ranges.items()
        },
        **(others if others != usual else {}),
    }
    digest = recipe_digest(recipe)
    if study.user_attrs.get("recipe", digest) != digest:
        what = "its trials are of other data, code, configuration, seeds, ranges, objectives or pruning"
        raise InputError(folder / "optuna.db", what, "name another --study")
    study.set_user_attr("recipe", digest)


def _figures(
    plan: SearchPlan, study: optuna.Study, full: optuna.Study, importance: Mapping[str, float]
) -> list[ReportFigure]:
    if len(plan.objectives) == 1:
        return search_figures(study, full, importance)
    return [front_figure(full, [each.text for each in plan.objectives])] if full.trials else []


def best_trials(study: optuna.Study, complete: Sequence[FrozenTrial]) -> tuple[FrozenTrial, ...]:
    """The best of the trials that ran to their end, the first of equals; of several objectives the Pareto front."""
    if len(study.directions) > 1:  # all of these run to their end
        return tuple(sorted(study.best_trials, key=lambda trial: trial.values, reverse=True))
    return tuple(sorted(complete, key=lambda trial: trial.values, reverse=True)[:1])


def write_configs(plan: SearchPlan, best: Sequence[FrozenTrial], folder: Path) -> tuple[Path, ...]:
    """Write the configurations: `best.json`, or of several objectives `trial-N.json` of each trial on the front."""
    several = len(plan.objectives) > 1
    paths = [folder / (f"trial-{trial.number}.json" if several else "best.json") for trial in best]
    for path in {*folder.glob("trial-*.json"), folder / "best.json"} - set(paths):
        path.unlink(missing_ok=True)
    for path, trial in zip(paths, best, strict=True):
        with replaced_file(path) as file:
            file.write((json.dumps(trial.params, indent=2) + "\n").encode())
    return tuple(paths)


def to_compare(plan: SearchPlan, best: Sequence[FrozenTrial]) -> dict[str, CellConfig]:
    """Best configurations by name, each once, without the paper's own."""
    several, found = len(plan.objectives) > 1, dict[str, CellConfig]()
    for trial in best:
        config = plan.inputs.control.with_values(trial.params)
        if config not in (plan.paper, *found.values()):
            found[f"trial {trial.number}" if several else SEARCHED_WEIGHTS] = config
    return found
