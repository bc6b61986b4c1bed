"""Writes the report of a zero-shot study: one self-contained HTML page, its tables for other documents, its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from matplotlib.figure import Figure

from fmerl_platform.report.figure import BLUE, INK, VERMILLION, WIDTH, ReportFigure, style
from fmerl_platform.report.render import TEMPLATES, ReportPaths, inline_figure, without_nan, write_file
from fmerl_platform.report.table import Table, markdown_text, to_latex, to_markdown
from fmerl_platform.studies.ablation.analysis import CellRecord
from fmerl_platform.studies.zero_shot.analysis import ZeroShotAnalysis
from fmerl_platform.studies.zero_shot.tables import zero_shot_tables
from fmerl_platform.studies.zero_shot.wording import supervised_warning, zero_shot_finding


@dataclass(frozen=True)
class _Section:
    """One corpus's part of the page."""

    id: str
    corpus: str
    warning: str
    finding: str
    tables: tuple[Table, ...]
    figures: tuple[ReportFigure, ...]
    cells: Sequence[CellRecord]


def write_zero_shot_report(
    study: str, analyses: Sequence[ZeroShotAnalysis], provenance: Mapping[str, str], folder: Path
) -> ReportPaths:
    """Write everything below `folder`, under the names of `report.page.write_report`."""
    sections = [_section(number, analysis) for number, analysis in enumerate(analyses, start=1)]
    html = TEMPLATES.get_template("zero_shot.html.j2").render(
        study=study, sections=sections, provenance=provenance, inline=inline_figure
    )
    texts = [f"# Zero-shot report: {markdown_text(study)}"]
    texts += [markdown_text(section.finding) for section in sections]
    texts += [to_markdown(table) for section in sections for table in section.tables]
    figures = [
        write_file(folder / "figures" / f"{quote(section.corpus, safe='')}-{figure.name}.{kind}", content)
        for section in sections
        for figure in section.figures
        for kind, content in (("png", figure.png), ("svg", figure.svg))
    ]
    return ReportPaths(
        html=write_file(folder / "report.html", html),
        markdown=write_file(folder / "table.md", "\n\n".join(texts)),
        latex=write_file(folder / "table.tex", "\n".join(to_latex(t) for section in sections for t in section.tables)),
        rows=write_file(folder / "results.json", _rows_json(study, analyses, provenance)),
        figures=tuple(figures),
    )


def _section(number: int, analysis: ZeroShotAnalysis) -> _Section:
    corpus = analysis.results.corpus
    warning = supervised_warning(corpus, analysis.supervised, analysis.unseen) if analysis.supervised else ""
    return _Section(
        id=f"corpus-{number}",
        corpus=corpus,
        warning=warning,
        finding=zero_shot_finding(analysis),
        tables=zero_shot_tables(analysis),
        figures=(_curves(analysis),) if analysis.curves else (),
        cells=analysis.results.cells,
    )


def _curves(analysis: ZeroShotAnalysis) -> ReportFigure:
    """Seen over unseen accuracy for every constant, a line per seed."""
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


def _rows_json(study: str, analyses: Sequence[ZeroShotAnalysis], provenance: Mapping[str, str]) -> str:
    corpora = {
        analysis.results.corpus: {
            "unseen": analysis.unseen,
            "unseen_utterances": analysis.utterances,
            "pseudo_unseen": analysis.pseudo_unseen,
            "supervised": analysis.supervised,
            "rows": [without_nan(asdict(row)) for row in analysis.rows],
            "published": {name: asdict(score) for name, score in analysis.published.items()},
            "refused": analysis.refused,
            "missing": [
                {"variant": variant, "seed": seed, "reason": reason}
                for variant, seed, reason in analysis.results.missing
            ],
        }
        for analysis in analyses
    }
    content = {"study": study, "provenance": dict(provenance), "corpora": corpora}
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
