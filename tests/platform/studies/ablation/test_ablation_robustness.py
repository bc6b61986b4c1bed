"""Rows under conditions are the scores of those cells there, paired with their own and the control's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.statistics import compare
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, analyse
from fmerl_platform.studies.ablation.robustness import condition_rows, condition_table
from fmerl_platform.studies.ablation.sections import _section

MakeResults = Callable[..., CorpusCells]
NOISE, LATE = "audio:snr=0", "text:delay=1"
HURT = {"FMERL": 0.3, "w/o Valence": 0.3, "w/o Arousal": 0.0}
"""Share of each variant's test rows that noise turns into the first class."""


def noisy(cell: CellRecord) -> CellRecord:
    test = cell.predictions.filter(pa.compute.field("split") == "test")
    struck = np.random.default_rng(3).random(len(test)) < HURT[cell.variant]
    predicted = np.where(struck, "neutral", test["predicted"].to_numpy(zero_copy_only=False))
    test = test.set_column(test.column_names.index("predicted"), "predicted", pa.array(predicted))
    added = test.append_column("condition", pa.array([NOISE] * len(test)))
    return replace(cell, conditions=pa.concat_tables([cell.conditions, added]))


@pytest.fixture(scope="module")
def results(make_results: MakeResults) -> CorpusCells:
    made = make_results(variants=tuple(HURT), seeds=4)
    return replace(made, cells=tuple(map(noisy, made.cells)), conditions=(NOISE,))


def test_a_loss_is_the_paired_difference_from_the_clean_test(results: CorpusCells) -> None:
    rows = {row.variant: row for row in condition_rows(results)}
    losses = []
    for cell in results.of_variant("FMERL"):
        clean, struck = cell.labelled_test(), cell.labelled_test(NOISE)
        scores = [
            f1_score(table["gold"].to_pylist(), table["predicted"].to_pylist(), average="weighted")
            for table in (struck, clean)
        ]
        losses.append(scores[0] - scores[1])
    assert rows["FMERL"].loss == pytest.approx(np.mean(losses))
    assert rows["FMERL"].loss_ci_high < 0
    assert rows["w/o Arousal"].loss == 0, "it does not read what was corrupted"


def test_variants_are_compared_with_the_control_under_the_same_condition(results: CorpusCells) -> None:
    rows = {row.variant: row for row in condition_rows(results)}
    assert rows["FMERL"].comparison is None
    under = {name: results.predictions_of(name, NOISE) for name in results.variants}
    expected = compare(under.pop("FMERL"), under, len(results.classes), resamples=2000)
    for name, comparison in expected.items():
        found = rows[name].comparison
        assert found is not None
        assert (found.delta, found.verdict) == (pytest.approx(comparison.delta), comparison.verdict)
        assert found.p_value_holm == pytest.approx(comparison.p_value_holm, rel=0.3)
    robust = rows["w/o Arousal"].comparison
    assert robust is not None
    assert robust.verdict == "helps"


def test_verdicts_of_all_conditions_are_corrected_together(results: CorpusCells) -> None:
    twice = replace(
        results,
        conditions=(NOISE, LATE),
        cells=tuple(
            replace(
                cell,
                conditions=pa.concat_tables(
                    [
                        cell.conditions,
                        cell.labelled_test(NOISE).set_column(
                            cell.conditions.column_names.index("condition"),
                            "condition",
                            pa.array([LATE] * len(cell.labelled_test(NOISE))),
                        ),
                    ]
                ),
            )
            for cell in results.cells
        ),
    )
    alone = {row.variant: row.comparison for row in condition_rows(results)}["w/o Valence"]
    both = {(row.condition, row.variant): row.comparison for row in condition_rows(twice)}[NOISE, "w/o Valence"]
    assert alone is not None
    assert both is not None
    assert both.p_value == pytest.approx(alone.p_value)
    assert both.p_value_holm > alone.p_value_holm


def test_cells_without_a_condition_are_named(results: CorpusCells) -> None:
    bare = replace(results.cells[0], conditions=results.cells[0].conditions.slice(0, 0))
    some = replace(results, cells=(bare, *results.cells[1:]))
    rows = condition_rows(some)
    assert {row.variant: row.n_seeds for row in rows} == {"FMERL": 3, "w/o Valence": 4, "w/o Arousal": 4}
    table = condition_table(some, rows)
    assert table is not None
    assert f"Not tested under {NOISE}: FMERL (1 seed)." in table.notes[1]
    none = replace(results, conditions=(LATE,))
    table = condition_table(none, condition_rows(none))
    assert table is not None
    assert table.rows == ()
    assert "FMERL (4 seeds), w/o Valence (4 seeds), w/o Arousal (4 seeds)" in table.notes[1]


def test_no_table_without_conditions(results: CorpusCells) -> None:
    plain = replace(results, conditions=())
    assert condition_table(plain, condition_rows(plain)) is None


def test_the_report_shows_them(results: CorpusCells) -> None:
    analysis: CorpusAnalysis = analyse(results, resamples=300)
    section = _section(analysis)
    (table,) = (table for table in section.details if table.name == "meld conditions")
    assert [row[:2] for row in table.rows] == [(NOISE, name) for name in HURT]
