"""The report of a search: trials, best configuration, and its scores on fresh seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from fmerl_platform.report.document import FileNames, Report, Section
from fmerl_platform.report.figure import ReportFigure
from fmerl_platform.report.numbers import NONE, percent
from fmerl_platform.report.table import Column, Table
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.ablation.collapse import collapse_warning
from fmerl_platform.studies.ablation.sections import ablation_table
from fmerl_platform.studies.ablation.wording import finding
from fmerl_platform.studies.search.figures import FEWEST
from fmerl_platform.studies.search.trial_store import Outcome, start_name


@dataclass(frozen=True, kw_only=True)
class SearchFindings:
    """Everything that the report shows."""

    study: str
    corpus: str
    trials: Sequence[tuple[FrozenTrial, Outcome]]
    """Trials that count."""
    best: FrozenTrial | None
    """The best of the trials that ran all their epochs."""
    importance: Mapping[str, float]
    errors: Mapping[int, str]
    evaluation: CorpusAnalysis | None
    """Best configuration against the paper's weights on fresh seeds; None without anything to compare."""
    figures: Sequence[ReportFigure]
    provenance: Mapping[str, str]


def search_report(found: SearchFindings) -> Report:
    """Everything that the report of a search shows."""
    comparison = (ablation_table(found.evaluation),) if found.evaluation else ()
    return Report(
        title=f"Search: {found.study}",
        sections=(
            Section(
                title=found.corpus,
                warning=collapse_warning(found.evaluation.results) if found.evaluation else "",
                finding=headline(found),
                tables=(best_table(found), *comparison),
                figures=tuple(found.figures),
                details=(trials_table(found),),
            ),
        ),
        provenance=found.provenance,
        files=FileNames(page="search.html", markdown="search.md", latex="search.tex"),
    )


def headline(found: SearchFindings) -> str:
    """Summary of the trials and the best of them, in two or three sentences."""
    counts = {how: sum(other == how for _, other in found.trials) for how in ("complete", "stopped early", "failed")}
    tried = f"{len(found.trials)} trials on {found.corpus}: " + ", ".join(f"{n} {how}" for how, n in counts.items())
    if found.best is None or found.best.value is None:
        return f"{tried}. None ran to its end, so there is no best configuration."
    best = f"{tried}. Trial {found.best.number} has the best objective, {percent(found.best.value)}"
    caution = "; as the maximum of many noisy trials it flatters, so only the comparison on fresh seeds counts"
    if found.evaluation is None:
        return f"{best}: it is the paper's own weights, and there is nothing to compare."
    return f"{best}{caution}. {finding(found.evaluation)}"


def best_table(found: SearchFindings) -> Table:
    """The searched fields: their importance, the paper's start and the best trial's values."""
    starts = {start_name(trial): trial for trial, _ in found.trials if start_name(trial)}
    columns = [Column("Field", numeric=False), Column("Best"), *(Column(name) for name in starts), Column("Importance")]
    fields = list(found.importance) or list(found.best.params if found.best else {})
    rows = [
        (
            field,
            f"{found.best.params[field]:.4g}" if found.best else NONE,
            *(f"{trial.params[field]:.4g}" if field in trial.params else NONE for trial in starts.values()),
            f"{found.importance[field]:.2f}" if field in found.importance else NONE,
        )
        for field in fields
    ]
    last = ("objective", *(_value(trial) for trial in (found.best, *starts.values())), NONE)
    notes = (
        "Objective: validation weighted F1, averaged over the search's seeds.",
        "Importance: share of its variance that a field explains, by fANOVA; there is none before "
        f"{FEWEST} trials ran to their end, nor where these have one objective.",
    )
    return Table("best", f"Best of {len(found.trials)} trials", tuple(columns), (*rows, last), notes, ())


def trials_table(found: SearchFindings) -> Table:
    """Every trial that counts, best first, failures last."""
    fields = sorted({field for trial, _ in found.trials for field in trial.params})
    ranked = sorted(found.trials, key=lambda item: -(item[0].value if item[0].value is not None else -1.0))
    rows = [
        (
            str(trial.number),
            _value(trial),
            how,
            str(len(trial.intermediate_values)),
            *(f"{trial.params[field]:.4g}" if field in trial.params else NONE for field in fields),
            found.errors.get(trial.number) or start_name(trial) or NONE,
        )
        for trial, how in ranked
    ]
    columns = ["Trial", "Objective", "Outcome", "Epochs", *(field.partition(".")[2] for field in fields), "Remark"]
    texts = {"Outcome", "Remark"}
    return Table(
        name="trials",
        caption="Trials",
        columns=tuple(Column(name, numeric=name not in texts) for name in columns),
        rows=tuple(rows),
        notes=("Stopped early: it lay in the worse half at one of ASHA's checks. Failed: it broke down.",),
    )


def _value(trial: FrozenTrial | None) -> str:
    return NONE if trial is None or trial.value is None else percent(trial.value)
