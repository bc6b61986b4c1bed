"""Table 1: systems against FMERL, their published numbers beside the test oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.table import to_markdown
from fmerl_platform.studies.ablation.analysis import analyse
from fmerl_platform.studies.ablation.sections import ablation_table
from fmerl_platform.studies.ablation.wording import finding
from fmerl_platform.studies.paper_results import NOT_RUN


@pytest.fixture
def results(make_results: Callable[..., CorpusCells]) -> CorpusCells:
    names = ("FMERL", "SDT", "MLP")
    changes = {"FMERL": {}, **{name: {"system.name": name} for name in names[1:]}}
    return replace(make_results(variants=names, seeds=3), changes=changes)


def test_the_table_has_the_oracle_beside_the_published_numbers(results: CorpusCells) -> None:
    analysis = analyse(results, resamples=50)
    table = ablation_table(analysis)
    headers = [column.header for column in table.columns]
    rows = {row[0]: dict(zip(headers, row, strict=True)) for row in table.rows}
    assert list(rows) == ["FMERL", "SDT", "MLP", *NOT_RUN]
    assert headers.index("Paper w-F1") == headers.index("Oracle w-F1") + 1
    oracle = analysis.rows[1].oracle_weighted_f1
    assert rows["SDT"]["Oracle w-F1"] == f"{100 * oracle:.2f}"
    assert (rows["SDT"]["Paper w-F1"], rows["MLP"]["Paper w-F1"]) == ("66.60", "–")
    assert (rows["CLED"]["w-F1"], rows["CLED"]["Paper w-F1"], rows["CLED"]["Verdict"]) == (
        "–",
        "66.24",
        "published only",
    )
    text = to_markdown(table)
    assert "Systems against FMERL on meld" in text
    assert "pick the epoch on the test set" in text
    assert all(reason in text for reason in NOT_RUN.values())
    assert "variants" not in finding(analysis)
