"""One table, several formats, the same numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fmerl_platform.ledger.results import CorpusCells, MissingCell
from fmerl_platform.report.numbers import interval, mean_sd, p_value, percent, signed
from fmerl_platform.report.table import Column, Table, to_latex, to_markdown, to_terminal
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, analyse
from fmerl_platform.studies.ablation.sections import ablation_table
from fmerl_platform.studies.ablation.wording import finding
from fmerl_platform.studies.wording import missing_notes

MakeResults = Callable[..., CorpusCells]


def printed(table: Table, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(to_terminal(table))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def one_row(*cells: str) -> Table:
    columns = tuple(Column(f"column {index}") for index in range(len(cells)))
    return Table("name", "caption", columns, (cells,), (), ())


def test_numbers_as_the_field_prints_them() -> None:
    assert mean_sd(0.66784, 0.0031) == "66.78 ± 0.31"
    assert mean_sd(0.66784, math.nan) == "66.78"
    assert percent(math.nan) == signed(math.nan) == interval(math.nan, math.nan) == p_value(math.nan) == "–"
    assert interval(-0.0195, 0.0045) == "[−1.95, +0.45]"
    assert signed(-0.001) == signed(0) == "+0.00"
    assert [p_value(p) for p in (0.0004, 0.0625, 1.0)] == ["<0.001", "0.062", "1.000"]


def test_every_format_shows_the_same_cells(analysis: CorpusAnalysis) -> None:
    table = ablation_table(analysis)
    valence = dict(zip((column.header for column in table.columns), table.rows[1], strict=True))
    row = analysis.rows[1]
    assert row.comparison is not None
    assert valence["w-F1"] == f"{100 * row.weighted_f1.mean:.2f} ± {100 * row.weighted_f1.sd:.2f}"
    assert valence["Δ"] == f"−{-100 * row.comparison.delta:.2f}"
    assert (valence["Paper w-F1"], valence["Paper Δ"], valence["Verdict"]) == ("66.41", "−0.37", "hurts")

    markdown = [re.split(r"(?<!\\)\|", line)[1:-1] for line in to_markdown(table).splitlines() if line[:2] == "| "]
    assert [[cell.strip().replace("\\", "") for cell in line] for line in markdown[1:]] == [
        list(row) for row in table.rows
    ]
    latex = to_latex(table).replace(r"$\pm$", "±").replace("$-$", "−").replace("{[}", "[").replace("$<$", "<")
    terminal = printed(table, 140)
    for short in table.short().rows:
        assert " & ".join(short).replace("–", "--") in latex
        assert any(line.split() == " ".join(short).split() for line in terminal.splitlines())


def test_a_narrow_terminal_cuts_nothing(analysis: CorpusAnalysis) -> None:
    text = printed(ablation_table(analysis), 80)
    assert "…" not in text
    words = set(text.split())
    assert {word for row in ablation_table(analysis).short().rows for cell in row for word in cell.split()} <= words


def test_paper_columns_need_published_numbers(make_results: MakeResults) -> None:
    table = ablation_table(analyse(make_results("corpus_1", seeds=2), resamples=50))
    assert not [column for column in table.columns if "Paper" in column.header]
    assert not [note for note in table.notes if "Paper" in note]


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), min_size=1, max_size=4))
def test_markdown_shows_any_text_as_it_is(cells: list[str]) -> None:
    line = to_markdown(one_row(*cells)).splitlines()[4]
    found = re.split(r"(?<!\\)(?:\\\\)*\|", line)
    assert len(found) == len(cells) + 2
    shown = re.sub(r"\\([\\`*_|<>])", r"\1", line)
    assert shown == "| " + " | ".join(cells) + " |"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_latex_leaves_no_special_character_bare(text: str) -> None:
    line = to_latex(one_row("x", text)).splitlines()[8]
    body = line.removeprefix("x & ").removesuffix(r" \\")
    known = r"\\text(backslash|asciitilde|asciicircum)\{\}|\\[&%$#_{}]|\$[<>]\$|\{\[\}"
    assert not set("\\~^&%$#_{}<>[") & set(re.sub(known, "", body))


def test_five_seeds_cannot_reach_five_percent(make_results: MakeResults) -> None:
    def note(seeds: int) -> str:
        table = ablation_table(analyse(make_results(seeds=seeds), resamples=50))
        return next(note for note in table.notes if "sign-flip" in note)

    assert "below 0.0625, so never p < 0.05: read the effect and its interval first" in note(5)
    assert note(6).endswith("below 0.03125.")


def test_one_seed_has_no_deviation_and_no_test(make_results: MakeResults) -> None:
    table = ablation_table(analyse(make_results(seeds=1), resamples=50))
    cells = dict(zip((column.header for column in table.columns), table.rows[1], strict=True))
    assert "±" not in cells["w-F1"] + cells["Accuracy"]
    assert (cells["Holm p"], cells["Verdict"]) == ("–", "inconclusive")
    assert any(note.startswith("One shared seed") for note in table.notes)


def test_missing_cells_are_listed_under_the_table(analysis: CorpusAnalysis) -> None:
    expected = "Missing: w/o Arousal, seeds 3, 4: out of memory: 2 GiB"
    table = ablation_table(analysis)
    assert expected in table.notes
    assert all(expected in text for text in (printed(table, 140), to_markdown(table), to_latex(table)))
    missing = (MissingCell("a", 0, "x"), MissingCell("b", 1, "x"), MissingCell("a", 2, "y"))
    assert missing_notes(replace(analysis.results, missing=missing)) == [
        "Missing: a, seed 0: x",
        "Missing: b, seed 1: x",
        "Missing: a, seed 2: y",
    ]


def test_variants_that_share_no_seed_are_called_out(make_results: MakeResults) -> None:
    lost = [("w/o Valence", 0, "lost"), ("w/o Valence", 1, "lost"), ("FMERL", 2, "lost")]
    analysis = analyse(make_results(seeds=3, missing=lost), resamples=50)
    table = ablation_table(analysis)
    assert "Not compared: w/o Valence shares no seed with FMERL." in table.notes
    assert "w/o Valence" not in finding(analysis)


def test_the_finding_leads_with_the_largest_effect(analysis: CorpusAnalysis, make_results: MakeResults) -> None:
    text = finding(analysis)
    assert text.startswith("On meld, FMERL reaches ")
    effects = {row.variant: abs(comparison.delta) for row, comparison in analysis.compared}
    first, second = sorted(("w/o Valence", "w/o Triple-loss"), key=lambda variant: -effects[variant])
    assert text.index(first) < text.index(second)
    assert f"w/o Valence hurts by {100 * effects['w/o Valence']:.2f} points [" in text
    assert text.endswith("w/o Arousal is inconclusive. 2 of 20 cells are missing.")

    control_lost = replace(analysis, rows=analysis.rows[1:])
    assert "nothing can be compared" in finding(control_lost)
    undecided = analyse(make_results(variants=("FMERL", "a", "b"), seeds=2), resamples=50)
    assert finding(undecided).endswith("All 2 variants are inconclusive.")


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "a|b", "50% & more_less"])
def test_the_terminal_takes_text_literally(text: str) -> None:
    assert text in printed(one_row(text), 80)
