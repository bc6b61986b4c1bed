"""Writes a report: one self-contained HTML page, its tables for other documents, its figures as files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fmerl.files import replaced_file
from fmerl_platform.report.document import Report, ReportPaths
from fmerl_platform.report.figure import PALETTE, ReportFigure
from fmerl_platform.report.table import Table, markdown_text, to_latex, to_markdown

_TEMPLATES = Environment(
    loader=PackageLoader("fmerl_platform.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_report(report: Report, folder: Path) -> ReportPaths:
    """Write everything below `folder`; each file is complete or not there.

    Returns:
        One HTML file that needs no network, Markdown, LaTeX, JSON, and `figures/<section>-<figure>.png|svg`.
    """
    names = report.files
    html = _TEMPLATES.get_template("report.html.j2").render(report=report, inline=_inline)
    figures = [
        _write(folder / "figures" / f"{stem}.{kind}", content)
        for section in report.sections
        for figure in section.figures
        for stem in [f"{quote(section.key, safe='')}-{figure.name}" if section.key else figure.name]
        for kind, content in (("png", figure.png), ("svg", figure.svg))
    ]
    return ReportPaths(
        html=_write(folder / names.page, html),
        markdown=_write(folder / names.markdown, _markdown(report)),
        latex=_write(folder / names.latex, "\n".join(map(to_latex, report.tables))),
        rows=_write(folder / names.rows, _json(report)) if report.rows else None,
        figures=tuple(figures),
    )


def table_html(table: Table) -> str:
    """A table as it stands in the page."""
    return str(_TEMPLATES.get_template("table.html.j2").module.written(table, table.name))  # type: ignore[attr-defined]


def _markdown(report: Report) -> str:
    findings = "\n\n".join(
        text
        for section in report.sections
        for text in (section.warning and f"**{markdown_text(section.warning)}**", markdown_text(section.finding))
        if text
    )
    tables = "\n".join(
        to_markdown(table) for section in report.sections for table in (*section.tables, *section.details)
    )
    return f"# {markdown_text(report.title)}\n\n{findings}\n\n{tables}"


def _json(report: Report) -> str:
    content = {**report.rows, "provenance": dict(report.provenance)}
    first = {name: content[name] for name in ("study", "provenance") if name in content}
    return json.dumps(_without_nan(first | content), ensure_ascii=False, indent=2, allow_nan=False)


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: a number that does not exist becomes null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _inline(figure: ReportFigure, prefix: str) -> Markup:
    """The SVG for a page that holds several: ids of its own, the page's colours, alt text as its label."""
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-{figure.name}-", figure.svg)
    for name, color in PALETTE.items():
        svg = svg.replace(color, f"var(--{name})")
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.alt)}" ', 1))


def _write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path
