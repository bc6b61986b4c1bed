"""A search from start to end: inputs -> trials -> best configuration -> comparison on fresh seeds -> page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from rich.console import Console
from rich.table import Table as TerminalTable

from fmerl.card import recipe_digest
from fmerl.config import CellConfig
from fmerl.errors import InputError
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import command_line, provenance
from fmerl_platform.report.render import write_file
from fmerl_platform.report.table import to_terminal
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.placement import Resources, nodes_to_expect, placement_table
from fmerl_platform.running.progress import RunProgress
from fmerl_platform.running.session import ray_session
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.run import AblationRequest, run_ablation
from fmerl_platform.studies.search.figures import FEWEST, full_length, importances, search_figures
from fmerl_platform.studies.search.page import SearchReport, best_table, headline, write_page
from fmerl_platform.studies.search.record import record_trials
from fmerl_platform.studies.search.space import SearchSpace, configured, search_space, with_paper_weights
from fmerl_platform.studies.search.trial_store import ended, open_study, repair
from fmerl_platform.studies.search.trials import run_trials
from fmerl_platform.study.cells import CorpusInputs, Variant, fingerprint
from fmerl_platform.study.inputs import InputOptions, load_inputs
from fmerl_platform.study.paper import CONTROL, PAPER_VARIANTS

PAPER, SEARCHED = "paper weights", "searched weights"


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """One search as the user asked for it."""

    corpus: str
    trials: int
    seeds: tuple[int, ...]
    """Of every trial."""
    evaluation_seeds: tuple[int, ...]
    """Of the comparison at the end; none of `seeds`."""
    study: str
    storage: Path
    inputs: InputOptions
    also: tuple[str, ...] = ()
    """Fields searched besides the loss weights."""
    resources: Resources = field(default_factory=Resources)
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise InputError("--trials", f"{self.trials} is no number of trials", "give at least 1")
        both = sorted(set(self.seeds) & set(self.evaluation_seeds))
        if both:
            raise InputError("--evaluation-seeds", f"{both} stand in --search-seeds too", "compare on fresh seeds")


def run_search(request: SearchRequest, console: Console, results: Console) -> bool:
    """Run the trials that are missing, then compare, then write the page.

    Returns:
        Whether every trial and every cell of the comparison is there and one trial ran to its end.

    Raises:
        InputError: Before anything is trained.
    """
    (inputs,) = load_inputs([request.corpus], [PAPER_VARIANTS[CONTROL]], request.inputs)
    space = search_space(inputs.control, request.also)
    paper = with_paper_weights(inputs.control)
    starts = {"paper": space.values_of(paper)}
    if paper != inputs.control:
        starts["given"] = space.values_of(inputs.control)
    if request.dry_run:
        results.print(_plan(request, space, inputs.control))
        results.print(placement_table(nodes_to_expect(), request.resources, request.trials, 1, "trial"))
        return True
    folder = request.storage / "search" / request.study
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".lock"
    with exclusive(lock, "this search is running already", "wait for it, or name another --study"):
        study, errors = _search(request, inputs, space, starts, folder, console)
        epochs = inputs.control.training.epochs
        finished = [trial for trial, how in ended(study, epochs) if how == "complete" and trial.value is not None]
        best = max(finished, key=lambda trial: trial.value or 0.0, default=None)
        evaluation, complete = None, best is not None
        if best is not None:
            write_file(folder / "best.json", json.dumps(best.params, indent=2) + "\n")
            searched = configured(inputs.control, best.params)
            if searched != paper:
                evaluation, complete = _evaluate(request, inputs.control, paper, searched, console)
        full = full_length(finished)
        importance = importances(full) if len(finished) >= FEWEST else {}
        report = SearchReport(
            study=request.study,
            corpus=inputs.data.corpus,
            trials=ended(study, epochs),
            best=best,
            importance=importance,
            errors=errors,
            evaluation=evaluation,
            figures=search_figures(study, full, importance) if importance else [],
            provenance={"command": command_line(), **provenance()},
        )
        page = write_page(report, folder)
        _publish(request, study, epochs, report, folder)
    results.print(to_terminal(best_table(report)))
    results.print(headline(report), highlight=False, soft_wrap=True)
    results.print(f"page     {page}", soft_wrap=True)
    results.print(f"config   {folder / 'best.json'}  (ablation_grid.py --config)", highlight=False, soft_wrap=True)
    results.print(f"trials   optuna-dashboard sqlite:///{(folder / 'optuna.db').resolve()}", soft_wrap=True)
    return complete


def _search(
    request: SearchRequest,
    inputs: CorpusInputs,
    space: SearchSpace,
    starts: Mapping[str, Mapping[str, float]],
    folder: Path,
    console: Console,
) -> tuple[optuna.Study, dict[int, str]]:
    """The study with all its trials, and the errors of those that failed, of this run and of earlier ones."""
    study, storage = open_study(folder / "optuna.db", request.study)
    _check_same(study, inputs, space, request, folder)
    repair(study, starts)
    epochs = inputs.control.training.epochs
    done = len(ended(study, epochs))
    waiting = max(0, request.trials - done)
    errors: dict[str, str] = study.user_attrs.get("errors", {})
    if waiting:
        shared = sum(values.nbytes for values in inputs.data.features.values())
        with RunProgress(console, "trials", waiting, done) as progress, ray_session(shared):
            new = run_trials(
                inputs,
                space,
                request.seeds,
                waiting,
                study=study,
                storage=storage,
                resources=request.resources,
                folder=request.storage,
                progress=progress,
                random_seed=len(study.trials),
            )
        errors |= {str(number): error for number, error in new.items()}
        study.set_user_attr("errors", errors)
    return study, {int(number): error for number, error in errors.items()}


def _check_same(
    study: optuna.Study, inputs: CorpusInputs, space: SearchSpace, request: SearchRequest, folder: Path
) -> None:
    """Trials of other data, code, settings or ranges must not be compared with those to come."""
    recipe = {
        "cell": fingerprint(inputs.control, inputs.data, inputs.anchors[inputs.control.anchors], 0),
        "seeds": list(request.seeds),
        "ranges": {path: [item.low, item.high, item.log] for path, item in space.ranges.items()},
    }
    digest = recipe_digest(recipe)
    if study.user_attrs.get("recipe", digest) != digest:
        what = "its trials are of other data, code, configuration, seeds or ranges"
        raise InputError(folder / "optuna.db", what, "name another --study")
    study.set_user_attr("recipe", digest)


def _evaluate(
    request: SearchRequest, control: CellConfig, paper: CellConfig, searched: CellConfig, console: Console
) -> tuple[CorpusAnalysis | None, bool]:
    """The best beside the paper's weights on seeds and test data that the search never saw."""
    variants = (_variant(PAPER, control, paper), _variant(SEARCHED, paper, searched))
    outcome = run_ablation(
        AblationRequest(
            corpora=(request.corpus,),
            variants=variants,
            seeds=request.evaluation_seeds,
            study=f"{request.study}-comparison",
            storage=request.storage,
            inputs=request.inputs,
            resources=request.resources,
        ),
        console,
        console,
    )
    return next(iter(outcome.analyses), None), outcome.complete


def _variant(name: str, base: CellConfig, config: CellConfig) -> Variant:
    before, after = base.flatten(), config.flatten()
    changes = {path: after[path] for path in after if after[path] != before[path]}
    return Variant(name=name, change=lambda given: configured(given, changes), declares=tuple(changes))


def _publish(request: SearchRequest, study: optuna.Study, epochs: int, report: SearchReport, folder: Path) -> None:
    experiment = Experiment.in_storage(request.storage, request.study)
    client, run = experiment.client(), experiment.find_or_create(request.study, None, level="search")
    record_trials(experiment, run, study, epochs, report.errors)
    best = {f"best {path}": value for path, value in (report.best.params if report.best else {}).items()}
    importance = {f"importance {path}": value for path, value in report.importance.items()}
    experiment.log_once(run, {**best, **importance}, step=0)
    experiment.tag(run, {"mlflow.note.content": headline(report)})
    for name in ("search.html", "search.md", "search.tex", "best.json"):
        if (folder / name).exists():
            client.log_artifact(run, str(folder / name))
    if report.figures:
        client.log_artifacts(run, str(folder / "figures"), "figures")
    client.set_terminated(run, "FINISHED")


def _plan(request: SearchRequest, space: SearchSpace, control: CellConfig) -> TerminalTable:
    cells = request.trials * len(request.seeds) + 2 * len(request.evaluation_seeds)
    table = TerminalTable(
        title=f"{request.trials} trials of {len(request.seeds)} seeds x at most {control.training.epochs} epochs, then "
        f"2 x {len(request.evaluation_seeds)} cells: at most {cells} trainings"
    )
    for heading in ("field", "from", "to", "scale", "start"):
        table.add_column(heading)
    flat = control.flatten()
    for path, item in space.ranges.items():
        scale = "logarithmic" if item.log else "linear"
        table.add_row(path, f"{item.low:g}", f"{item.high:g}", scale, f"{flat[path]:g}")
    return table
