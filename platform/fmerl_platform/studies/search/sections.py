"""The report of a search: trials, best configurations, and their scores on fresh seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from fmerl_platform.report.document import FileNames, Report, Section
from fmerl_platform.report.figure import ReportFigure
from fmerl_platform.report.numbers import NONE, percent
from fmerl_platform.report.table import Column, Table
from fmerl_platform.studies.search.comparison import Evaluation
from fmerl_platform.studies.search.figures import FEWEST
from fmerl_platform.studies.search.objectives import Objective
from fmerl_platform.studies.search.stopping import Pruning
from fmerl_platform.studies.search.trial_store import Outcome, start_name

_STOPPED = {
    "asha": "Stopped early: it lay in the worse half at one of ASHA's checks. ",
    "wilcoxon": "Stopped early: on its first seeds it was worse than the best trial by Wilcoxon's signed-rank test. ",
    "none": "",
}


@dataclass(frozen=True, kw_only=True)
class SearchFindings:
    """Everything that the report shows."""

    study: str
    corpus: str
    objectives: Sequence[Objective]
    pruning: Pruning
    trials: Sequence[tuple[FrozenTrial, Outcome]]
    """Trials that count."""
    best: Sequence[FrozenTrial]
    """The best of the trials that ran to their end; of several objectives the Pareto front, best in the first one
    first."""
    importance: Mapping[str, float]
    errors: Mapping[int, str]
    evaluations: Sequence[Evaluation]
    """Best configurations against the paper's weights on fresh seeds; empty without anything to compare."""
    figures: Sequence[ReportFigure]
    provenance: Mapping[str, str]


def search_report(found: SearchFindings) -> Report:
    """Everything that the report of a search shows."""
    table = best_table(found) if len(found.objectives) == 1 else front_table(found)
    return Report(
        title=f"Search: {found.study}",
        sections=(
            Section(
                title=found.corpus,
                warning=" ".join(each.warning for each in found.evaluations if each.warning),
                finding=headline(found),
                tables=(table, *(table for each in found.evaluations for table in each.tables)),
                figures=tuple(found.figures),
                details=(trials_table(found),),
            ),
        ),
        provenance=found.provenance,
        files=FileNames(page="search.html", markdown="search.md", latex="search.tex"),
    )


def headline(found: SearchFindings) -> str:
    """Summary of the trials and the best of them, in a few sentences."""
    counts = {how: sum(other == how for _, other in found.trials) for how in ("complete", "stopped early", "failed")}
    tried = f"{len(found.trials)} trials on {found.corpus}: " + ", ".join(f"{n} {how}" for how, n in counts.items())
    if not found.best:
        return f"{tried}. None ran to its end, so there is no best configuration."
    if len(found.objectives) > 1:
        names = " and ".join(each.text for each in found.objectives)
        best = f"{tried}. The Pareto front of {names} has {len(found.best)} of them"
        it_is = "the front is the paper's own weights"
    else:
        best = f"{tried}. Trial {found.best[0].number} has the best objective, {_values(found.best[0])[0]}"
        it_is = "it is the paper's own weights"
    if not found.evaluations:
        return f"{best}: {it_is}, and there is nothing to compare."
    caution = "; as the maximum of many noisy trials it flatters, so only the comparison on fresh seeds counts"
    return " ".join([f"{best}{caution}.", *(each.finding for each in found.evaluations)])


def best_table(found: SearchFindings) -> Table:
    """The searched fields: their importance, the paper's start and the best trial's values."""
    starts = {start_name(trial): trial for trial, _ in found.trials if start_name(trial)}
    best = found.best[0] if found.best else None
    shown = [best, *starts.values()]
    columns = [Column("Field", numeric=False), Column("Best"), *(Column(name) for name in starts), Column("Importance")]
    rows = [
        (
            field,
            *(_parameter(trial, field) for trial in shown),
            f"{found.importance[field]:.2f}" if field in found.importance else NONE,
        )
        for field in list(found.importance) or list(best.params if best else {})
    ]
    last = ("objective", *(_values(trial)[0] for trial in shown), NONE)
    notes = (
        f"Objective: {_objectives(found)}.",
        "Importance: share of its variance that a field explains, by fANOVA; there is none before "
        f"{FEWEST} trials ran to their end, nor where these have one objective.",
    )
    return Table("best", f"Best of {len(found.trials)} trials", tuple(columns), (*rows, last), notes, ())


def front_table(found: SearchFindings) -> Table:
    """The trials on the Pareto front, best in the first objective first, and the starts beside them."""
    starts = [trial for trial, _ in found.trials if start_name(trial) and trial not in found.best]
    fields = list(found.best[0].params) if found.best else []
    rows = [
        (
            " ".join([str(trial.number), *([f"({start_name(trial)})"] if start_name(trial) else [])]),
            *_values(trial, len(found.objectives)),
            front,
            *(_parameter(trial, field) for field in fields),
        )
        for trials, front in ((found.best, "yes"), (starts, "no"))
        for trial in trials
    ]
    objectives = (each.text for each in found.objectives)
    names = ("Trial", *objectives, "Front", *(field.partition(".")[2] for field in fields))
    return Table(
        name="front",
        caption=f"Pareto front of {len(found.trials)} trials",
        columns=tuple(Column(name, numeric=name != "Front") for name in names),
        rows=tuple(rows),
        notes=(
            f"Objectives: {_objectives(found)}.",
            "No trial is better than one on the front in one objective and not worse in the other. The search picks "
            "none of them: all are compared.",
        ),
    )


def trials_table(found: SearchFindings) -> Table:
    """Every trial that counts, best in the first objective first, failures last."""
    fields = sorted({field for trial, _ in found.trials for field in trial.params})
    ranked = sorted(found.trials, key=lambda item: tuple(item[0].values or ()), reverse=True)
    rows = [
        (
            str(trial.number),
            *_values(trial, len(found.objectives)),
            how,
            *([str(len(trial.intermediate_values))] if len(found.objectives) == 1 else []),
            *(_parameter(trial, field) for field in fields),
            found.errors.get(trial.number) or start_name(trial) or NONE,
        )
        for trial, how in ranked
    ]
    single = ["Objective", "Outcome", "Seeds" if found.pruning == "wilcoxon" else "Epochs"]
    several = [*(each.text for each in found.objectives), "Outcome"]
    between = single if len(found.objectives) == 1 else several
    columns = ["Trial", *between, *(field.partition(".")[2] for field in fields), "Remark"]
    texts = {"Outcome", "Remark"}
    return Table(
        name="trials",
        caption="Trials",
        columns=tuple(Column(name, numeric=name not in texts) for name in columns),
        rows=tuple(rows),
        notes=(f"{_STOPPED[found.pruning]}Failed: it broke down.",),
    )


def _objectives(found: SearchFindings) -> str:
    seeds = "averaged over the search's seeds"
    return f"{' and '.join(each.text for each in found.objectives)} on validation, {seeds}"


def _values(trial: FrozenTrial | None, objectives: int = 1) -> list[str]:
    """Objectives of a trial as printed; a dash for each where it has none."""
    values = None if trial is None else trial.values
    return [percent(value) for value in values] if values else [NONE] * objectives


def _parameter(trial: FrozenTrial | None, field: str) -> str:
    return f"{trial.params[field]:.4g}" if trial is not None and field in trial.params else NONE
