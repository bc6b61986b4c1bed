"""Contents of a report: sections of tables and figures, and their provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmerl_platform.report.table import Table

if TYPE_CHECKING:
    from fmerl_platform.report.figure import ReportFigure


@dataclass(frozen=True, kw_only=True)
class ReportPaths:
    """Files of a written report."""

    html: Path
    markdown: Path
    latex: Path
    rows: Path | None
    """JSON of the rows; None for a report without rows."""
    figures: tuple[Path, ...]
    """PNG and SVG of each figure."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of a report, usually one corpus."""

    title: str
    finding: str
    """Finding in plain sentences, for the top of the report."""
    warning: str = ""
    """Warning in bold before the finding."""
    tables: tuple[Table, ...] = ()
    """Results; also shown in the terminal and written as LaTeX."""
    figures: tuple[ReportFigure, ...] = ()
    details: tuple[Table, ...] = ()
    """Further tables, below the figures."""
    records: tuple[Table, ...] = ()
    """Long lists, folded at the page's end and left out elsewhere."""
    key: str = ""
    """Prefix of its figures' file names, needed in a report of several sections."""


@dataclass(frozen=True, kw_only=True)
class FileNames:
    """Names of a report's files in its folder."""

    page: str = "report.html"
    markdown: str = "table.md"
    latex: str = "table.tex"
    rows: str = "results.json"


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report, ready to be written."""

    title: str
    sections: tuple[Section, ...]
    provenance: Mapping[str, str]
    """Origin of the results, by name: code digest, packages, data, command."""
    guide: tuple[tuple[str, str], ...] = ()
    """Reading guide: what a paragraph is about, and the rest of the paragraph."""
    rows: Mapping[str, Any] = field(default_factory=dict)
    """The tables' rows unrounded, scores in [0, 1]; written as JSON with `provenance` unless empty."""
    files: FileNames = field(default_factory=FileNames)

    def save(self, folder: Path | str) -> ReportPaths:
        """Write the report to a folder."""
        from fmerl_platform.report.render import write_report

        return write_report(self, Path(folder))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of all sections."""
        return tuple(section.warning for section in self.sections if section.warning)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The results of all sections."""
        return tuple(table for section in self.sections for table in section.tables)
