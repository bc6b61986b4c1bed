"""Table of the models, and estimates of what asking them would take."""

from __future__ import annotations

import statistics as moments
from collections.abc import Sequence

from fmerl_platform.asking.cost import CostEstimate, left_to_ask
from fmerl_platform.asking.decoding import known_decoding
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.ledger.cells import FinishedCell
from fmerl_platform.llm_baselines.models import LanguageModel
from fmerl_platform.llm_baselines.request import CANDIDATES, BaselineRequest
from fmerl_platform.llm_baselines.run import Baselines
from fmerl_platform.report.numbers import NONE, deviation, interval, mean_sd, p_value, signed
from fmerl_platform.report.table import Column, Table, columns


def summary_table(done: Baselines, request: BaselineRequest) -> Table:
    """A row per model, over its finished seeds."""
    rows = [_row([run for run in done.runs if run.variant == model.name], model, request) for model in request.models]
    examples = f"examples of each seen class: {request.shots}; unseen: {', '.join(request.unseen) or 'none'}"
    return Table(
        name="language models",
        caption=f"Language models on {request.corpus.name}",
        columns=columns("Model", "n", "Unanswered", "Accuracy", "w-F1", "Unseen accuracy", "Tokens", "Cost"),
        rows=tuple(rows),
        notes=(
            f"{len(request.utterances)} test utterances with up to {request.context} turns before them; {examples}.",
            "In percent, mean ± sd (ddof = 1) over n finished seeds. Unanswered: answers of all seeds that name no "
            "class; they count as wrong. Tokens and cost are of all seeds together.",
        ),
    )


def comparison_table(done: Baselines, request: BaselineRequest) -> Table | None:
    """A row per model under other templates; None if each model was asked by one."""
    rows = tuple(
        (
            name,
            str(comparison.n_pairs),
            signed(100 * comparison.delta),
            interval(comparison.ci_low, comparison.ci_high),
            p_value(comparison.p_value_holm),
            comparison.verdict if comparison.n_pairs else NONE,
        )
        for model in request.models
        if (name := model.name) in done.comparisons and (comparison := done.comparisons[name])
    )
    if not rows:
        return None
    numbers = columns("Model · templates", "Pairs", "Δ w-F1", "95 % interval", "Holm p")
    return Table(
        name="templates",
        caption=f"Templates on {request.corpus.name}, each against its model's first",
        columns=(*numbers, Column("Verdict", numeric=False, verdict=True)),
        rows=rows,
        notes=(
            "Points of weighted F1, paired by seed, for new seeds and new dialogues; with one pair, no p-value. "
            "Holm p: adjusted over the templates of a model.",
        ),
    )


def estimates(request: BaselineRequest) -> dict[str, CostEstimate]:
    """Cost of what is left to ask each model, by name; in the dearest decoding if the endpoint was never asked."""
    journal = JournalReader(request.journal)
    return {model.name: _estimate(request, model, journal) for model in request.models}


def _estimate(request: BaselineRequest, model: LanguageModel, journal: JournalReader) -> CostEstimate:
    mode = request.first_mode
    if request.decoding == "auto":
        mode = known_decoding(CANDIDATES, request.first_call(model), journal) or mode
    price, most_answers = request.price(model), request.retries.answers
    first, *others = (
        left_to_ask(request.plan(model, seed, mode), len(request.utterances), journal, price, most_answers)
        for seed in request.seeds
    )
    return sum(others, first)


def _row(runs: Sequence[FinishedCell], model: LanguageModel, request: BaselineRequest) -> tuple[str, ...]:
    def metrics(name: str) -> list[float]:
        return [run.metrics[name] for run in runs if name in run.metrics]

    def score(name: str) -> str:
        values = metrics(name)
        return mean_sd(moments.fmean(values), deviation(values)) if values else NONE

    tokens, cost = sum(metrics("prompt_tokens") + metrics("completion_tokens")), metrics("cost")
    return (
        model.name,
        str(len(runs)),
        f"{sum(metrics('test_unanswered')):.0f}",
        score("test_accuracy"),
        score("test_weighted_f1"),
        score("test_unseen_accuracy"),
        f"{tokens:,.0f}",
        f"{sum(cost):,.4f} {request.price(model).currency}" if cost else NONE,
    )
