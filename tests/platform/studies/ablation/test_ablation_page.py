"""The written report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers.studies import record_of

from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.document import ReportPaths
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, analyse
from fmerl_platform.studies.ablation.sections import ablation_report, ablation_table

MakeResults = Callable[..., CorpusCells]
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects what a reader gets, and refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)
        if {"td", "th"} & set(self._open):
            self.cells[-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture(scope="module")
def analyses(analysis: CorpusAnalysis, make_results: MakeResults) -> tuple[CorpusAnalysis, ...]:
    variants = ("FMERL", "w/o $x_{ <odd>$", "w/o {{ y }}")
    second = analyse(make_results("a corpus/with <odd> name", variants=variants, seeds=2), resamples=50)
    return analysis, second


@pytest.fixture(scope="module")
def paths(analyses: tuple[CorpusAnalysis, ...], tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    record = record_of("<script>alert(1)</script>", code_digest="0f3a & more")
    return ablation_report(record, analyses).save(tmp_path_factory.mktemp("report") / "new")


@pytest.fixture(scope="module")
def page(paths: ReportPaths) -> Page:
    return Page(paths.html.read_text(encoding="utf-8"))


def test_the_page_needs_no_network(paths: ReportPaths, page: Page) -> None:
    html = paths.html.read_text(encoding="utf-8")
    loading = {"script", "link", "iframe", "object", "embed", "img", "video", "audio", "source"}
    assert not [tag for tag, _ in page.tags if tag in loading]
    links = [value or "" for _, attrs in page.tags for name, value in attrs.items() if name in ("href", "xlink:href")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"url\((?!#)|@import", html)
    assert paths.html.stat().st_size < 2_000_000


def test_every_reference_has_its_target(paths: ReportPaths, page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    html = paths.html.read_text(encoding="utf-8")
    used = re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', html)
    assert set(used) <= set(ids)


def test_pictures_and_tables_speak(page: Page) -> None:
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(drawings) == 14
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)
    assert page.count("table") == page.count("caption") == 8
    assert page.count("h1") == 1
    assert ("html", {"lang": "en"}) in page.tags


def test_the_page_shows_the_table_the_finding_and_what_is_missing(
    page: Page, analyses: tuple[CorpusAnalysis, ...]
) -> None:
    shown = [cell.strip() for cell in page.cells]
    for analysis in analyses:
        for row in ablation_table(analysis).rows:
            assert list(row) in [shown[start : start + len(row)] for start in range(len(shown))]
    text = "".join(page.text)
    assert "w/o Valence hurts by " in text
    assert "Missing: w/o Arousal, seeds 3, 4: out of memory: 2 GiB" in text
    assert "test_oracle" in text
    assert "0f3a & more" in text
    assert all(cell.fingerprint in text for analysis in analyses for cell in analysis.results.cells)


def test_names_are_text_and_never_markup(page: Page) -> None:
    assert "Ablation report: <script>alert(1)</script>" in "".join(page.text)
    assert page.count("odd") == 0
    assert "".join(page.text).count("w/o $x_{ <odd>$") >= 5  # table, cells, and three plots


def test_files_are_complete_and_named_by_corpus(paths: ReportPaths, analyses: tuple[CorpusAnalysis, ...]) -> None:
    names = {path.name for path in paths.figures}
    assert len(names) == 28
    assert {"meld-effects.png", "meld-effects.svg"} <= names
    folder = paths.html.parent
    written = {path for path in folder.rglob("*") if path.is_file()}
    assert written == {paths.html, paths.markdown, paths.latex, paths.rows, *paths.figures}
    assert all(path.stat().st_size for path in written)
    assert paths.latex.read_text(encoding="utf-8").count(r"\begin{table*}") == len(analyses)
    assert paths.markdown.read_text(encoding="utf-8").count("\n## ") == 3 * len(analyses)


def test_rows_as_json_are_the_analysis(paths: ReportPaths, analyses: tuple[CorpusAnalysis, ...]) -> None:
    corpora = json.loads((paths.rows or paths.html).read_text(encoding="utf-8"))["corpora"]
    row, expected = corpora["meld"]["rows"][1], analyses[0].rows[1]
    assert expected.comparison is not None
    assert row["weighted_f1"]["mean"] == expected.weighted_f1.mean
    assert row["comparison"]["ci_low"] == expected.comparison.ci_low
    assert row["published"] == {"accuracy": 67.43, "weighted_f1": 66.41}
    assert corpora["meld"]["missing"][0] == {"variant": "w/o Arousal", "seed": 3, "reason": "out of memory:\n2 GiB"}


def test_numbers_that_do_not_exist_are_null(make_results: MakeResults, tmp_path: Path) -> None:
    one_seed = analyse(make_results(variants=("FMERL",), seeds=1), resamples=50)
    paths = ablation_report(record_of("one"), [replace(one_seed)]).save(tmp_path)
    row = json.loads((paths.rows or paths.html).read_text(encoding="utf-8"))["corpora"]["meld"]["rows"][0]
    assert row["weighted_f1"]["sd"] is None


def test_the_same_results_give_the_same_files(make_results: MakeResults, tmp_path: Path) -> None:
    study = ablation_report(record_of("twice"), [analyse(make_results(variants=("FMERL",), seeds=2), resamples=50)])
    first, second = study.save(tmp_path / "1"), study.save(tmp_path / "2")
    assert first.html.read_bytes() == second.html.read_bytes()
