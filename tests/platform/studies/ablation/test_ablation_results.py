"""From cells to rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from fmerl.errors import InputError
from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, analyse
from fmerl_platform.studies.paper_results import TABLE_3, published_score

MakeResults = Callable[..., CorpusCells]


def test_rows_follow_the_cells(analysis: CorpusAnalysis) -> None:
    assert [row.variant for row in analysis.rows] == list(analysis.results.variants)
    for row in analysis.rows:
        metrics = [cell.metrics for cell in analysis.results.of_variant(row.variant)]
        assert row.weighted_f1.n_seeds == len(metrics)
        assert row.weighted_f1.mean == pytest.approx(np.mean([cell["test_weighted_f1"] for cell in metrics]))
        assert row.weighted_f1.sd == pytest.approx(np.std([cell["test_weighted_f1"] for cell in metrics], ddof=1))
        assert row.accuracy_mean == pytest.approx(np.mean([cell["test_accuracy"] for cell in metrics]))
        assert row.accuracy_sd == pytest.approx(np.std([cell["test_accuracy"] for cell in metrics], ddof=1))
        assert row.macro_f1 == pytest.approx(np.mean([cell["test_macro_f1"] for cell in metrics]))
        assert (row.peek_gap, row.peek_gap_sd) == pytest.approx((0.01, 0), abs=1e-12)


def test_comparisons_are_paired_by_seed(analysis: CorpusAnalysis) -> None:
    control, *others = analysis.rows
    assert control.comparison is None
    assert not control.seed_deltas
    assert [row.variant for row, _ in analysis.compared] == [row.variant for row in others]
    for row, comparison in analysis.compared:
        assert comparison.delta == pytest.approx(np.mean(row.seed_deltas))
        assert comparison.n_pairs == len(row.seed_deltas) == (3 if row.variant == "w/o Arousal" else 5)


def test_verdicts_find_the_fabricated_effects(analysis: CorpusAnalysis) -> None:
    verdicts = {row.variant: comparison.verdict for row, comparison in analysis.compared}
    assert verdicts == {"w/o Valence": "hurts", "w/o Arousal": "inconclusive", "w/o Triple-loss": "helps"}


def test_context_and_validation_rows_do_not_count(make_results: MakeResults) -> None:
    results = make_results(seeds=2)

    def spoil(table: pa.Table) -> pa.Table:
        unused = np.array(table["split"]) != "test"
        unused |= table["gold"].is_null().to_numpy()
        predicted = np.where(unused, "neutral", np.array(table["predicted"]))
        return table.set_column(table.column_names.index("predicted"), "predicted", pa.array(predicted))

    spoilt = tuple(replace(cell, predictions=spoil(cell.predictions)) for cell in results.cells)
    assert any(not old.predictions.equals(new.predictions) for old, new in zip(results.cells, spoilt, strict=True))
    assert analyse(replace(results, cells=spoilt), resamples=50).rows == analyse(results, resamples=50).rows


def test_the_paper_stands_beside_its_own_corpora_only(make_results: MakeResults, analysis: CorpusAnalysis) -> None:
    deltas = {row.variant: row.published_delta for row in analysis.rows}
    assert deltas["FMERL"] is None
    assert deltas["w/o Valence"] == pytest.approx(66.41 - 66.78)
    synthetic = analyse(make_results("synthetic-meld", seeds=2), resamples=50)
    assert all(row.published is None and row.published_delta is None for row in synthetic.rows)
    assert published_score("MELD", "FMERL") is None


def test_table_3_is_complete() -> None:
    assert [len(rows) for rows in TABLE_3.values()] == [7, 7]
    assert all(rows["FMERL"].weighted_f1 == max(row.weighted_f1 for row in rows.values()) for rows in TABLE_3.values())


def test_a_study_without_cells_has_no_rows(make_results: MakeResults) -> None:
    assert analyse(replace(make_results(seeds=1), cells=())).rows == ()


def test_without_the_control_nothing_is_compared(make_results: MakeResults) -> None:
    results = make_results(seeds=2, missing=[("FMERL", 0, "lost"), ("FMERL", 1, "lost")])
    analysis = analyse(results, resamples=50)
    assert [row.variant for row in analysis.rows] == list(results.variants[1:])
    assert analysis.compared == ()


def test_a_foreign_class_is_named(make_results: MakeResults) -> None:
    results = replace(make_results(seeds=1), classes=("neutral", "joy"))
    with pytest.raises(InputError, match=r"run-FMERL-0 .*'anger & disgust' is none of neutral, joy"):
        analyse(results)
