"""Baselines from start to end: plans -> journal -> endpoints -> a run with predictions for every model and seed."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from fmerl.rows import write_rows
from fmerl.supervision.answers import Mode
from fmerl_platform.asking.decoding import ask_decoding
from fmerl_platform.asking.endpoint import RequestFailedError
from fmerl_platform.asking.journal import JournalReader, only_run
from fmerl_platform.asking.plan import UtterancePlan, ask_plan, send_plan
from fmerl_platform.asking.worker import WorkerConfig
from fmerl_platform.ledger.cells import FinishedCell, finished_cells, follow_plan, unfinished
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.runs import StudyRuns
from fmerl_platform.ledger.schema import PREDICTIONS
from fmerl_platform.llm_baselines.answers import prediction_table, scores_of, write_problems
from fmerl_platform.llm_baselines.comparison import compare_templates
from fmerl_platform.llm_baselines.models import LanguageModel
from fmerl_platform.llm_baselines.plan import SeedRun
from fmerl_platform.llm_baselines.request import CANDIDATES, BaselineRequest
from fmerl_platform.running.progress import Counting, uncounted
from fmerl_platform.statistics import Comparison

PROBLEMS = "problems.csv"

_CANNOT_BE_ASKED = "the endpoint cannot be asked: {}"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """Results of a request."""

    runs: tuple[FinishedCell, ...]
    """Finished seed runs, those of earlier commands among them, in the request's order."""
    failures: Mapping[str, str]
    """Reasons why runs are missing, by run name; the same command asks for the rest."""
    comparisons: Mapping[str, Comparison]
    """Models under other templates against the same model under the first, by name, where both have a run."""
    tracking_uri: str


def run_baselines(request: BaselineRequest, counting: Counting = uncounted) -> Baselines:
    """Ask the calls not answered yet, and finish a run for every model and seed that is fully answered.

    Args:
        request: Models to ask, and utterances to ask about.
        counting: Shows progress.

    Raises:
        InputError: Before anything is asked.
    """
    configs = {model.name: request.worker_config(model) for model in request.models}
    planned = request.runs()
    failures: dict[str, str] = {}
    with only_run(request.journal, "language models are being asked about this corpus already"):
        experiment = Experiment.in_storage(request.storage, request.study)
        runs = _open_runs(experiment, request)
        follow_plan(experiment, planned, runs.variants)
        waiting = unfinished(experiment, planned)
        if len(waiting) < len(planned):
            _log.info("%d of %d runs are finished already", len(planned) - len(waiting), len(planned))
        unsent = _send(request, waiting, configs) if request.batches else {}
        for run in waiting:
            if run.name in unsent:
                failures[run.name] = unsent[run.name]
                continue
            try:
                unanswered = _run_seed(request, run, configs[run.variant], experiment, runs, counting)
            except RequestFailedError as failure:
                unanswered = _CANNOT_BE_ASKED.format(failure)
            if unanswered is not None:
                failures[run.name] = unanswered
        runs.close(experiment, complete=not failures)
        finished = {cell.fingerprint: cell for cell in finished_cells(experiment, corpus=request.corpus.name)}
        comparisons = compare_templates(experiment, request, [run for run in planned if run.fingerprint in finished])
    return Baselines(
        runs=tuple(finished[run.fingerprint] for run in planned if run.fingerprint in finished),
        failures=failures,
        comparisons=comparisons,
        tracking_uri=experiment.uri,
    )


def _send(request: BaselineRequest, waiting: Sequence[SeedRun], configs: Mapping[str, WorkerConfig]) -> dict[str, str]:
    """Start the batches of all runs, which then wait together; returns why runs could not be sent."""
    assert request.batches is not None
    unsent = {}
    for run in waiting:
        config = configs[run.variant]
        try:
            plan = request.plan(run.model, run.seed, _mode(request, run.model, config))
            send_plan(plan, config, request.limits, request.batches, _spent_beside(request, plan, config))
        except RequestFailedError as failure:
            unsent[run.name] = _CANNOT_BE_ASKED.format(failure)
    return unsent


def _run_seed(
    request: BaselineRequest,
    run: SeedRun,
    config: WorkerConfig,
    experiment: Experiment,
    runs: StudyRuns,
    counting: Counting,
) -> str | None:
    """Ask, and finish the run; returns why it is not finished, else None."""
    mode = _mode(request, run.model, config)
    plan = request.plan(run.model, run.seed, mode)
    _log.info("%s: %d calls, decoding %s", run.name, len(plan.calls), mode)
    spent = _spent_beside(request, plan, config)
    outcomes = ask_plan(plan, config, request.limits, request.pool, counting, spent, request.batches)
    found = plan.by_utterance(outcomes)
    problems = _folder(request, run) / PROBLEMS
    write_problems(problems, found)
    left = Counter(outcome.error for outcome in found.values() if outcome.passing)
    if left:
        [(reason, _)] = left.most_common(1)
        return f"{left.total()} of {len(found)} utterances are not answered yet, most often: {reason}"
    table = prediction_table(request.utterances, request.corpus.classes, found)
    metrics = {**scores_of(table, request.corpus.classes, request.unseen), **_taken(request, run, plan, config)}
    params = {
        **request.settings(),
        "model": run.model.id,
        "templates": run.model.templates.name,
        "mode": mode,
        "base_url": config.endpoint.base_url,
    }
    params |= asdict(plan.ways(JournalReader(request.journal)))
    note = f"{run.model.id} named the emotions of {len(table)} test utterances of {run.corpus}, seed {run.seed}."
    begun = experiment.begin(run, runs.variants[run.corpus, run.variant], params, note, request.unseen)
    assert begun is not None, "this run holds the lock"
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder) / PREDICTIONS, table)
        begun.finish(metrics, 0, [Path(folder) / PREDICTIONS, problems])
    return None


def _mode(request: BaselineRequest, model: LanguageModel, config: WorkerConfig) -> Mode:
    if request.decoding != "auto":
        return request.decoding
    spent = _spent_beside(request, UtterancePlan(asked={}), config)
    return ask_decoding(CANDIDATES, request.first_call(model), config, request.limits, spent)


def _spent_beside(request: BaselineRequest, plan: UtterancePlan, config: WorkerConfig) -> float:
    """Cost that counts against the budget beside the plan's own calls."""
    if request.limits.budget is None:
        return 0.0
    journal = JournalReader(request.journal)
    return request.spent(journal) - plan.cost(journal, config.price)


def _taken(request: BaselineRequest, run: SeedRun, plan: UtterancePlan, config: WorkerConfig) -> dict[str, float]:
    journal = JournalReader(request.journal)
    tokens = plan.tokens(journal)
    metrics: dict[str, float] = {
        "prompt_tokens": tokens.prompt,
        "cached_tokens": tokens.cached,
        "completion_tokens": tokens.completion,
    }
    if config.price.currency:
        metrics["cost"] = plan.cost(journal, config.price)
    if run.model.parameters is not None:
        metrics["parameters"] = run.model.parameters
    return metrics


def _folder(request: BaselineRequest, run: SeedRun) -> Path:
    corpus, variant = (quote(name, safe="") for name in (run.corpus, run.variant))
    return request.storage / "reports" / request.study / corpus / variant / f"seed-{run.seed}"


def _open_runs(experiment: Experiment, request: BaselineRequest) -> StudyRuns:
    study, corpus = experiment.find_or_create(request.study, None, level="study"), request.corpus.name
    runs = StudyRuns(study=study, variants={})
    for model in request.models:
        runs.variants[corpus, model.name] = experiment.find_or_create(
            f"{corpus} · {model.name}", study, level="variant", corpus=corpus, variant=model.name
        )
    return runs
