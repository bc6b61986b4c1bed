"""A table of text in four formats: terminal, Markdown and LaTeX here, HTML by a template."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.table import Table as TerminalTable
from rich.text import Text

_MARKDOWN = re.compile(r"[\\`*_|<>]")
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{symbol: f"\\{symbol}" for symbol in "&%$#_{}"},
        **{symbol: f"${symbol}$" for symbol in "<>"},
        "[": "{[}",  # at the start of a row it would be read as an argument of the row before
        "±": r"$\pm$",
        "−": "$-$",
        "Δ": r"$\Delta$",
        "≥": r"$\geq$",
        "–": "--",
        "\n": " ",
    }
)
_VERDICT_STYLES = {"helps": "bold green", "hurts": "bold red", "inconclusive": "dim", "equivalent": "bold blue"}


@dataclass(frozen=True)
class Column:
    """A column; all cells of the table are text, ready to print."""

    header: str
    numeric: bool = True
    """True to align right."""
    detail: bool = False
    """True to leave it out of terminal and LaTeX, whose lines are short."""
    verdict: bool = False
    """True if cells are verdicts, coloured for `helps`, `hurts`, `inconclusive` and `equivalent`."""


def columns(label: str, *numbers: str) -> tuple[Column, ...]:
    """A column of names and columns of numbers, by their headers."""
    return Column(label, numeric=False), *map(Column, numbers)


@dataclass(frozen=True)
class Table:
    """A table of text, printed by every format."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    detail_notes: tuple[str, ...] = ()
    """Notes on detail columns, left out with them."""

    def short(self) -> Table:
        """The table without detail."""
        shown = [index for index, column in enumerate(self.columns) if not column.detail]
        return replace(
            self,
            columns=tuple(self.columns[index] for index in shown),
            rows=tuple(tuple(row[index] for index in shown) for row in self.rows),
            detail_notes=(),
        )


def to_terminal(table: Table) -> TerminalTable:
    """A rich table for the console, notes under it."""
    table = table.short()
    terminal = TerminalTable(
        title=Text(table.caption, style="bold"),
        caption=Text("\n".join(f"• {note}" for note in table.notes)),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for index, column in enumerate(table.columns):
        cells = [row[index].split() for row in table.rows]
        terminal.add_column(  # a narrow terminal may break lines, but no words
            Text(column.header),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric and all(len(words) == 1 for words in cells),
            overflow="fold",
            min_width=max((len(word) for words in cells for word in words), default=0),
        )
    for row in table.rows:
        terminal.add_row(
            *(
                Text(cell, style=_VERDICT_STYLES.get(cell, "") if column.verdict else "")
                for column, cell in zip(table.columns, row, strict=True)
            )
        )
    return terminal


def to_markdown(table: Table) -> str:
    """A GitHub-flavoured table under a heading, notes as a list."""
    lines = [
        _markdown_row(column.header for column in table.columns),
        "|" + "|".join("---:" if column.numeric else "---" for column in table.columns) + "|",
        *(_markdown_row(row) for row in table.rows),
    ]
    notes = [f"- {markdown_text(note)}" for note in (*table.notes, *table.detail_notes)]
    return "\n".join([f"## {markdown_text(table.caption)}", "", *lines, "", *notes, ""])


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is, in a table or out of it."""
    return _MARKDOWN.sub(r"\\\g<0>", text).replace("\n", " ")


def to_latex(table: Table) -> str:
    """A booktabs table over both columns of a page; needs `\\usepackage{booktabs}`."""
    table = table.short()
    label = re.sub(r"[^A-Za-z0-9]+", "-", table.name)
    lines = [
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3.5pt}",
        rf"\caption{{{_latex(table.caption)}}}",
        rf"\label{{tab:ablation-{label}}}",
        rf"\begin{{tabular}}{{@{{}}{''.join('r' if column.numeric else 'l' for column in table.columns)}@{{}}}}",
        r"\toprule",
        _latex_row([column.header for column in table.columns]),
        r"\midrule",
        *(_latex_row(row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip\raggedright {_latex(note)}" for note in table.notes),
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    return text.translate(_LATEX)
