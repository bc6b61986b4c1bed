"""Cells that tell no classes apart are named, and so are classes that nobody predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.studies.ablation.analysis import analyse
from fmerl_platform.studies.ablation.collapse import TO_TRY, collapse, collapse_warning, never_predicted
from fmerl_platform.studies.ablation.publish import run_summary, study_note
from fmerl_platform.studies.ablation.sections import ablation_report

MakeResults = Callable[..., CorpusCells]


@pytest.fixture(scope="module")
def results(make_results: MakeResults) -> CorpusCells:
    return make_results(variants=("FMERL", "w/o Valence"), seeds=2)


def saying(cell: CellRecord, names: list[str]) -> CellRecord:
    """The cell with its predictions replaced by these, over and over."""
    column = pa.array(np.resize(names, len(cell.predictions)))
    index = cell.predictions.column_names.index("predicted")
    return replace(cell, predictions=cell.predictions.set_column(index, "predicted", column))


def changed(results: CorpusCells, variant: str, change: Callable[[CellRecord], CellRecord]) -> CorpusCells:
    cells = tuple(change(cell) if cell.variant == variant else cell for cell in results.cells)
    return replace(results, cells=cells)


def test_sound_cells_give_no_warning(results: CorpusCells) -> None:
    assert collapse_warning(results) == ""
    assert {collapse(cell) for cell in results.cells} == {None}


def test_one_class_is_named_with_its_seeds_and_what_to_try(results: CorpusCells) -> None:
    collapsed = changed(results, "w/o Valence", lambda cell: saying(cell, ["joy"]))
    warning = collapse_warning(collapsed)
    assert warning == f"Warning, meld: w/o Valence (seeds 0, 1) predicts joy alone. {TO_TRY}"
    analysis = analyse(collapsed, resamples=50)
    summary = run_summary(analysis, analysis.rows[1])
    assert summary.warning in warning
    assert "**Warning:**" in summary.note
    assert run_summary(analysis, analysis.rows[0]).warning == ""
    assert "predicts joy alone" in study_note([analysis])
    majority = replace(collapsed, changes={"FMERL": {}, "w/o Valence": {"system.name": "majority"}})
    assert "alone" not in collapse_warning(majority), "it is the majority class by design"


def test_a_cell_that_never_beats_the_majority_on_validation_is_named(results: CorpusCells) -> None:
    rows = results.cells[0].predictions.to_pylist()
    gold = [row["gold"] for row in rows if row["split"] == "validation" and row["gold"]]
    best = max(set(gold), key=gold.count)
    majority = f1_score(gold, [best] * len(gold), average="weighted", zero_division=0)

    def stuck(cell: CellRecord) -> CellRecord:
        return replace(cell, history={**cell.history, "validation_weighted_f1": [majority - 0.01, majority]})

    warning = collapse_warning(changed(results, "FMERL", stuck))
    assert f"FMERL (seeds 0, 1) never beats the majority class on validation ({100 * majority:.2f})." in warning
    poor = changed(results, "FMERL", lambda cell: replace(cell, metrics={**cell.metrics, "test_weighted_f1": 0.05}))
    assert "does not beat the majority class on test" in collapse_warning(poor)


@pytest.mark.parametrize("predicted", [["joy"], ["joy", "neutral"]])
def test_a_split_of_one_class_says_nothing_of_a_cell(results: CorpusCells, predicted: list[str]) -> None:
    def all_joy(cell: CellRecord) -> CellRecord:
        gold = pa.array([name and "joy" for name in cell.predictions["gold"].to_pylist()])
        index = cell.predictions.column_names.index("gold")
        said = saying(replace(cell, predictions=cell.predictions.set_column(index, "gold", gold)), predicted)
        history = {**cell.history, "validation_weighted_f1": [0.9, 1.0]}
        return replace(said, history=history, metrics={**cell.metrics, "test_weighted_f1": 1.0 / len(predicted)})

    assert collapse_warning(changed(results, "FMERL", all_joy)) == ""


def test_classes_that_no_seed_predicts_are_named_once(results: CorpusCells, make_results: MakeResults) -> None:
    two = changed(results, "FMERL", lambda cell: saying(cell, ["neutral", "joy"]))
    assert never_predicted(two, "FMERL") == ("anger & disgust",)
    assert "Never predicted by any seed of FMERL: anger & disgust." in collapse_warning(two)
    both = changed(two, "w/o Valence", lambda cell: saying(cell, ["neutral", "joy"]))
    assert "Never predicted by any seed of any variant: anger & disgust." in collapse_warning(both)
    one_seed = changed(results, "FMERL", lambda cell: saying(cell, ["neutral", "joy"]) if cell.seed else cell)
    assert never_predicted(one_seed, "FMERL") == ()


def test_the_report_opens_with_the_warning(results: CorpusCells) -> None:
    from helpers.studies import record_of

    collapsed = changed(results, "w/o Valence", lambda cell: saying(cell, ["joy"]))
    report = ablation_report(record_of("s"), [analyse(collapsed, resamples=50)])
    assert report.warnings == (report.sections[0].warning,)
    assert "predicts joy alone" in report.warnings[0]


def test_a_collapsed_cell_of_a_fold_is_named_with_its_fold(results: CorpusCells) -> None:
    cells = [replace(cell, fold=fold) for cell in results.cells for fold in "ab"]
    cells = [
        saying(cell, ["joy"]) if (cell.variant, cell.seed, cell.fold) == ("FMERL", 1, "b") else cell for cell in cells
    ]
    folded = replace(results, cells=tuple(cells), folds=("a", "b"), pooled=results.cells)
    assert collapse_warning(folded) == f"Warning, meld: FMERL (seed 1 in fold b) predicts joy alone. {TO_TRY}"
