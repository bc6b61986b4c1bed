"""What a search found: tables for the terminal and one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial

from fmerl_platform.report.figure import ReportFigure
from fmerl_platform.report.numbers import NONE, finding, percent
from fmerl_platform.report.render import TEMPLATES, inline_figure, write_file
from fmerl_platform.report.table import Column, Table, ablation_table, to_latex, to_markdown
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.search.trial_store import Outcome, start_name


@dataclass(frozen=True, kw_only=True)
class SearchReport:
    """Everything the page shows."""

    study: str
    corpus: str
    trials: Sequence[tuple[FrozenTrial, Outcome]]
    """Those that count."""
    best: FrozenTrial | None
    """Of the trials that ran all their epochs."""
    importance: Mapping[str, float]
    errors: Mapping[int, str]
    evaluation: CorpusAnalysis | None
    """The best beside the paper's weights on fresh seeds; None where there was nothing to compare."""
    figures: Sequence[ReportFigure]
    provenance: Mapping[str, str]


def headline(report: SearchReport) -> str:
    """What was tried and what came of it, in two or three sentences."""
    counts = {how: sum(other == how for _, other in report.trials) for how in ("complete", "stopped early", "failed")}
    tried = f"{len(report.trials)} trials on {report.corpus}: " + ", ".join(f"{n} {how}" for how, n in counts.items())
    if report.best is None or report.best.value is None:
        return f"{tried}. None ran to its end, so there is no best configuration."
    best = f"{tried}. Trial {report.best.number} has the best objective, {percent(report.best.value)}"
    caution = "; as the maximum of many noisy trials it flatters, so only the comparison on fresh seeds counts"
    if report.evaluation is None:
        return f"{best}: it is the paper's own weights, and there is nothing to compare."
    return f"{best}{caution}. {finding(report.evaluation)}"


def best_table(report: SearchReport) -> Table:
    """The searched fields: their importance, the paper's start and the best trial's values."""
    starts = {start_name(trial): trial for trial, _ in report.trials if start_name(trial)}
    columns = [Column("Field", numeric=False), Column("Best"), *(Column(name) for name in starts), Column("Importance")]
    fields = list(report.importance) or list(report.best.params if report.best else {})
    rows = [
        (
            field,
            f"{report.best.params[field]:.4g}" if report.best else NONE,
            *(f"{trial.params[field]:.4g}" if field in trial.params else NONE for trial in starts.values()),
            f"{report.importance[field]:.2f}" if field in report.importance else NONE,
        )
        for field in fields
    ]
    last = ("objective", *(_value(trial) for trial in (report.best, *starts.values())), NONE)
    notes = ("Objective: validation weighted F1, averaged over the search's seeds.",)
    return Table("best", f"Best of {len(report.trials)} trials", tuple(columns), (*rows, last), notes, ())


def trials_table(report: SearchReport) -> Table:
    """Every trial that counts, best first, failures last."""
    fields = sorted({field for trial, _ in report.trials for field in trial.params})
    ranked = sorted(report.trials, key=lambda item: -(item[0].value if item[0].value is not None else -1.0))
    rows = [
        (
            str(trial.number),
            _value(trial),
            how,
            str(len(trial.intermediate_values)),
            *(f"{trial.params[field]:.4g}" if field in trial.params else NONE for field in fields),
            report.errors.get(trial.number) or start_name(trial) or NONE,
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


def write_page(report: SearchReport, folder: Path) -> Path:
    """Write `search.html`, `search.md`, `search.tex` and the figures below `folder`; returns the page."""
    tables = [best_table(report), *([ablation_table(report.evaluation)] if report.evaluation else [])]
    page = TEMPLATES.get_template("search.html.j2").render(
        report=report,
        headline=headline(report),
        tables=tables,
        trials=trials_table(report),
        inline=inline_figure,
    )
    for figure in report.figures:
        write_file(folder / "figures" / f"{figure.name}.png", figure.png)
        write_file(folder / "figures" / f"{figure.name}.svg", figure.svg)
    texts = [to_markdown(table) for table in (*tables, trials_table(report))]
    write_file(folder / "search.md", "\n".join([f"# Search: {report.study}", "", headline(report), "", *texts]))
    write_file(folder / "search.tex", "\n".join(map(to_latex, tables)))
    return write_file(folder / "search.html", page)


def _value(trial: FrozenTrial | None) -> str:
    return NONE if trial is None or trial.value is None else percent(trial.value)
