"""One model of the ablation table, printed four ways: terminal, Markdown, LaTeX here, HTML in `page`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.table import Table as TerminalTable
from rich.text import Text

from fmerl_platform.report.numbers import NONE, interval, mean_sd, p_value, percent, signed, table_notes
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, VariantRow
from fmerl_platform.studies.paper_results import NOT_RUN, PublishedScore, published_score

_MARKDOWN = re.compile(r"[\\`*_|<>]")
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{symbol: f"\\{symbol}" for symbol in "&%$#_{}"},
        **{symbol: f"${symbol}$" for symbol in "<>"},
        "[": "{[}",  # at the start of a row it would be an argument of the row before
        "±": r"$\pm$",
        "−": "$-$",
        "Δ": r"$\Delta$",
        "≥": r"$\geq$",
        "–": "--",
        "\n": " ",
    }
)
_VERDICT_STYLES = {"helps": "bold green", "hurts": "bold red", "inconclusive": "dim"}


@dataclass(frozen=True)
class Column:
    """A column; all cells of the table are text, ready to print."""

    header: str
    numeric: bool = True
    """Aligned right."""
    detail: bool = False
    """Left out of terminal and LaTeX, whose lines are short."""


def columns(label: str, *numbers: str) -> tuple[Column, ...]:
    """A column of names and columns of numbers, by their headers."""
    return Column(label, numeric=False), *map(Column, numbers)


@dataclass(frozen=True)
class Table:
    """What every format prints."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    detail_notes: tuple[str, ...] = ()
    """Explain detail columns, so they are left out with them."""

    def short(self) -> Table:
        """Without detail."""
        shown = [index for index, column in enumerate(self.columns) if not column.detail]
        return replace(
            self,
            columns=tuple(self.columns[index] for index in shown),
            rows=tuple(tuple(row[index] for index in shown) for row in self.rows),
            detail_notes=(),
        )


def ablation_table(analysis: CorpusAnalysis) -> Table:
    """The table of one corpus: a row per variant, the control first; the paper's columns where it has numbers.

    Of a comparison of systems (the paper's Table 1) the variants are systems: their published numbers stand beside the
    test oracle, and systems that are published only stand below.
    """
    results, systems = analysis.results, analysis.results.compares_systems
    cells = [_cells(row) for row in analysis.rows]
    if systems:
        cells += [_published_only(name, score) for name in NOT_RUN if (score := published_score(results.corpus, name))]
    columns = [
        Column("System" if systems else "Variant", numeric=False),
        Column("w-F1"),
        Column("n"),
        Column("Δ"),
        Column("95% interval"),
        *([Column("Oracle w-F1")] if systems else [Column("Paper Δ")]),
        Column("Paper w-F1", detail=not systems),
        Column("Holm p"),
        Column("Verdict", numeric=False),
        Column("Accuracy", detail=True),
        *([Column("Paper accuracy", detail=True)] if systems else []),
        Column("Macro F1", detail=True),
        *([] if systems else [Column("Peek gap", detail=True)]),
    ]
    if not any(row.published for row in analysis.rows):
        columns = [column for column in columns if not column.header.startswith("Paper")]
    return Table(
        name=results.corpus,
        caption=f"Systems against {results.control} on {results.corpus}"
        if systems
        else f"Ablation of {results.control} on {results.corpus}",
        columns=tuple(columns),
        rows=tuple(tuple(row.get(column.header, NONE) for column in columns) for row in cells),
        notes=table_notes(analysis),
        detail_notes=()
        if systems
        else (
            "Peek gap: points that w-F1 would gain if each seed's epoch were picked on the test set (test oracle); "
            "never a result.",
        ),
    )


def to_terminal(table: Table) -> TerminalTable:
    """For a rich Console; notes stand under the table."""
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
            no_wrap=all(len(words) == 1 for words in cells),
            min_width=max((len(word) for words in cells for word in words), default=0),
        )
    for row in table.rows:
        terminal.add_row(*(Text(cell, style=_VERDICT_STYLES.get(cell, "")) for cell in row))
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


def _cells(row: VariantRow) -> dict[str, str]:
    """Printed cells by header; the control has nothing to be compared with."""
    cells = {
        "Variant": row.variant,
        "System": row.variant,
        "w-F1": mean_sd(row.weighted_f1.mean, row.weighted_f1.sd),
        "n": str(row.weighted_f1.n_seeds),
        "Oracle w-F1": percent(row.oracle_weighted_f1),
        "Paper Δ": NONE if row.published_delta is None else signed(row.published_delta),
        **_paper(row.published),
        "Verdict": "control",
        "Accuracy": mean_sd(row.accuracy_mean, row.accuracy_sd),
        "Macro F1": percent(row.macro_f1),
        "Peek gap": signed(100 * row.peek_gap),
    }
    if row.comparison:
        cells |= {
            "Δ": signed(100 * row.comparison.delta),
            "95% interval": interval(row.comparison.ci_low, row.comparison.ci_high),
            "Holm p": p_value(row.comparison.p_value_holm),
            "Verdict": row.comparison.verdict if row.comparison.n_pairs else NONE,
        }
    return cells


def _published_only(name: str, score: PublishedScore) -> dict[str, str]:
    return {"System": name, **_paper(score), "Verdict": "published only"}


def _paper(score: PublishedScore | None) -> dict[str, str]:
    """The paper's cells by header, those that it has."""
    if score is None:
        return {}
    accuracy = {} if score.accuracy is None else {"Paper accuracy": f"{score.accuracy:.2f}"}
    return {"Paper w-F1": f"{score.weighted_f1:.2f}", **accuracy}


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    return text.translate(_LATEX)
