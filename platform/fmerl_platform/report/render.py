"""Writes a study's report: one self-contained HTML page, its table for other documents, its figures as files."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fmerl_platform.report.figure import PALETTE, ReportFigure
from fmerl_platform.report.numbers import finding
from fmerl_platform.report.table import Table, ablation_table, markdown_text, to_latex, to_markdown
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, StudyReport
from fmerl_platform.studies.ablation.figures import corpus_figures
from fmerl_platform.studies.ablation.strata import modality_table, strata_table

TEMPLATES = Environment(
    loader=PackageLoader("fmerl_platform.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class ReportPaths:
    """What `write_report` wrote."""

    html: Path
    markdown: Path
    latex: Path
    rows: Path
    """The tables' rows unrounded, scores in [0, 1], as JSON."""
    figures: tuple[Path, ...]
    """PNG and SVG of each."""


@dataclass(frozen=True)
class _Section:
    """One corpus's part of the page."""

    id: str
    """Anchor in the page."""
    analysis: CorpusAnalysis
    finding: str
    table: Table
    details: list[Table]
    figures: list[ReportFigure]


def write_report(report: StudyReport, folder: Path) -> ReportPaths:
    """Write everything below `folder`; each file is complete or not there.

    Returns:
        `report.html` (one file, needs no network), `table.md`, `table.tex`, `results.json` and
        `figures/<corpus>-<figure>.png|svg`.
    """
    sections = [
        _Section(
            id=f"corpus-{number}",
            analysis=analysis,
            finding=finding(analysis),
            table=ablation_table(analysis),
            details=[
                table for build in (modality_table, strata_table) if (table := build(analysis.results)) is not None
            ],
            figures=corpus_figures(analysis),
        )
        for number, analysis in enumerate(report.analyses, start=1)
    ]
    html = TEMPLATES.get_template("page.html.j2").render(report=report, sections=sections, inline=inline_figure)
    files: dict[Path, str | bytes] = {}
    for section in sections:
        for figure in section.figures:
            stem = f"{quote(section.analysis.results.corpus, safe='')}-{figure.name}"
            files[folder / "figures" / f"{stem}.png"] = figure.png
            files[folder / "figures" / f"{stem}.svg"] = figure.svg
    return ReportPaths(
        html=write_file(folder / "report.html", html),
        markdown=write_file(folder / "table.md", _markdown(report.study, sections)),
        latex=write_file(folder / "table.tex", "\n".join(to_latex(section.table) for section in sections)),
        rows=write_file(folder / "results.json", _rows_json(report)),
        figures=tuple(write_file(path, content) for path, content in files.items()),
    )


def _markdown(study: str, sections: list[_Section]) -> str:
    findings = "\n\n".join(markdown_text(section.finding) for section in sections)
    tables = "\n".join(to_markdown(table) for section in sections for table in (section.table, *section.details))
    return f"# Ablation report: {markdown_text(study)}\n\n{findings}\n\n{tables}"


def write_file(path: Path, content: str | bytes) -> Path:
    """Through a temporary file beside it, so that a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    temporary.replace(path)
    return path


def inline_figure(figure: ReportFigure, prefix: str) -> Markup:
    """The SVG for a page that holds several: ids of its own, the page's colours, alt text as its label."""
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-{figure.name}-", figure.svg)
    for name, color in PALETTE.items():
        svg = svg.replace(color, f"var(--{name})")
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.alt)}" ', 1))


def _rows_json(report: StudyReport) -> str:
    return json.dumps(
        {
            "study": report.study,
            "provenance": report.provenance,
            "corpora": {analysis.results.corpus: _corpus_rows(analysis) for analysis in report.analyses},
        },
        ensure_ascii=False,
        indent=2,
        allow_nan=False,
    )


def _corpus_rows(analysis: CorpusAnalysis) -> dict[str, Any]:
    missing = [
        {"variant": variant, "seed": seed, "reason": reason} for variant, seed, reason in analysis.results.missing
    ]
    return {"rows": [without_nan(asdict(row)) for row in analysis.rows], "missing": missing}


def without_nan(value: Any) -> Any:
    """JSON has no NaN: a number that does not exist becomes null."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
