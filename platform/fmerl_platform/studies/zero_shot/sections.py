"""The report of a zero-shot study: a section per corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from fmerl_platform.report.document import Report, Section
from fmerl_platform.report.figure import BLUE, INK, VERMILLION, WIDTH, ReportFigure, style
from fmerl_platform.studies.wording import cells_table, missing_rows
from fmerl_platform.studies.zero_shot.analysis import ZeroShotAnalysis
from fmerl_platform.studies.zero_shot.tables import zero_shot_tables
from fmerl_platform.studies.zero_shot.wording import warning_of, zero_shot_finding
from fmerl_platform.study.record import StudyRecord


def zero_shot_report(record: StudyRecord, analyses: Sequence[ZeroShotAnalysis]) -> Report:
    """Everything that the report of a zero-shot study shows."""
    return Report(
        title=f"Zero-shot report: {record.study}",
        sections=tuple(map(_section, analyses)),
        provenance=record.facts(),
        rows={
            "study": record.study,
            "corpora": {analysis.results.corpus: _rows(analysis) for analysis in analyses},
        },
    )


def _section(analysis: ZeroShotAnalysis) -> Section:
    results = analysis.results
    return Section(
        title=results.corpus,
        key=results.corpus,
        warning=warning_of(analysis),
        finding=zero_shot_finding(analysis),
        tables=zero_shot_tables(analysis),
        figures=(_curves(analysis),) if analysis.curves else (),
        records=(cells_table(results),),
    )


def _rows(analysis: ZeroShotAnalysis) -> dict[str, Any]:
    return {
        "unseen": analysis.unseen,
        "unseen_utterances": analysis.utterances,
        "pseudo_unseen": analysis.pseudo_unseen,
        "supervised": analysis.supervised,
        "rows": [asdict(row) for row in analysis.rows],
        "published": {name: asdict(score) for name, score in analysis.published.items()},
        "refused": analysis.refused,
        "missing": missing_rows(analysis.results),
    }


def _curves(analysis: ZeroShotAnalysis) -> ReportFigure:
    """Plot of seen over unseen accuracy for every constant, a line per seed."""
    with style():
        figure = Figure(figsize=(0.7 * WIDTH, 0.55 * WIDTH), layout="constrained")
        axes = figure.add_subplot()
        for number, curve in enumerate(analysis.curves):
            axes.plot(
                100 * curve.unseen_accuracy,
                100 * curve.seen_accuracy,
                color=BLUE,
                alpha=0.7,
                linewidth=1.2,
                label="every constant, a line per seed" if number == 0 else None,
            )
        for row, color, marker, label in (
            (analysis.control, INK, "s", "as trained"),
            (analysis.calibrated, VERMILLION, "o", "calibrated"),
        ):
            if row is not None:
                x, y = (100 * row.scores[name].mean for name in ("unseen_accuracy", "seen_accuracy"))
                axes.plot(x, y, marker, color=color, markersize=8, label=f"{label}, mean over seeds")
        axes.set_xlabel(f"accuracy on {' and '.join(analysis.unseen)} (%)")
        axes.set_ylabel("accuracy on seen classes (%)")
        axes.set_xlim(-2, 102)
        axes.set_ylim(bottom=0)
        axes.legend()
    return ReportFigure(
        "seen-unseen",
        "What lowering the seen classes trades",
        "From left to right the constant taken from seen classes' scores grows. The area below a line is its AUSUC.",
        f"Seen accuracy over unseen accuracy. {zero_shot_finding(analysis)}",
        figure,
    )
