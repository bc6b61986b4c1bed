"""Strata are the utterances they name, and modalities are weighed both ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score, recall_score

from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.report.table import Table
from fmerl_platform.studies.ablation.strata import modality_table, strata_table

MakeResults = Callable[..., CorpusCells]


def by_label(table: Table | None) -> dict[str, tuple[str, ...]]:
    assert table is not None
    return {row[0]: row[1:] for row in table.rows}


@pytest.fixture(scope="module")
def results(make_results: MakeResults) -> CorpusCells:
    return make_results(variants=("FMERL", "w/o Valence"), seeds=3)


def test_a_class_is_judged_by_its_recall(results: CorpusCells) -> None:
    rows = by_label(strata_table(results))
    cells = [cell.labelled_test() for cell in results.of_variant("FMERL")]
    recall = [
        recall_score(cell["gold"].to_pylist(), cell["predicted"].to_pylist(), labels=["joy"], average="macro")
        for cell in cells
    ]
    number, score, delta = rows["class: joy"]
    assert int(number) == cells[0]["gold"].to_pylist().count("joy")
    assert float(score) == pytest.approx(100 * np.mean(recall), abs=0.01)
    assert delta.startswith("−")


def test_a_bin_of_turns_is_judged_by_its_weighted_f1(results: CorpusCells) -> None:
    scores = []
    for cell in results.of_variant("FMERL"):
        rows = cell.labelled_test().filter(pa.compute.field("turn") == 0)
        gold, predicted = rows["gold"].to_pylist(), rows["predicted"].to_pylist()
        scores.append(f1_score(gold, predicted, average="weighted", zero_division=0))
    assert float(by_label(strata_table(results))["turn: 1"][1]) == pytest.approx(100 * np.mean(scores), abs=0.01)


def test_every_family_of_strata_holds_every_labelled_utterance_once(results: CorpusCells) -> None:
    rows = by_label(strata_table(results))
    labelled = results.cells[0].labelled_test().num_rows
    for family in ("class", "emotion shift", "turn", "dialogue length", "speaker"):
        assert sum(int(row[0]) for label, row in rows.items() if label.startswith(f"{family}: ")) == labelled


def test_emotion_shift_and_speaker_follow_the_dialogue(results: CorpusCells) -> None:
    """Ann joy, Ben joy, Ann -, Ann joy, Ben neutral, then another dialogue: Ben neutral."""
    table = pa.table(
        {
            "dialogue_id": ["x"] * 5 + ["y"],
            "turn": [0, 1, 2, 3, 4, 0],
            "speaker": ["Ann", "Ben", "Ann", "Ann", "Ben", "Ben"],
            "split": ["test"] * 6,
            "gold": pa.array(["joy", "joy", None, "joy", "neutral", "neutral"]),
            "predicted": ["joy", "neutral", "joy", "joy", "neutral", "joy"],
        }
    )
    control = replace(results.cells[0], predictions=table)
    rows = by_label(strata_table(replace(results, cells=(control,))))
    counts = {label: int(row[0]) for label, row in rows.items()}
    assert counts["emotion shift: first of the speaker"] == 3
    assert counts["emotion shift: no"] == counts["emotion shift: yes"] == 1
    assert (counts["speaker: 1"], counts["speaker: 2"]) == (3, 2)
    assert (counts["dialogue length: 1 to 5"], counts["turn: 2 to 3"], counts["turn: 4 to 7"]) == (5, 1, 2)


def test_rows_whose_text_is_in_train_are_a_stratum(results: CorpusCells) -> None:
    assert not any(label.startswith("text in train") for label in by_label(strata_table(results)))
    cells = [cell.labelled_test() for cell in results.of_variant("FMERL")]
    ids = cells[0]["utterance_id"].to_pylist()
    repeats = frozenset(ids[::5])
    rows = by_label(strata_table(replace(results, repeats=repeats)))
    assert (int(rows["text in train: yes"][0]), int(rows["text in train: no"][0])) == (
        len(repeats),
        len(ids) - len(repeats),
    )
    scores = []
    for cell in cells:
        outside = cell.filter(pa.array([name not in repeats for name in ids]))
        scores.append(f1_score(outside["gold"].to_pylist(), outside["predicted"].to_pylist(), average="weighted"))
    assert float(rows["text in train: no"][1]) == pytest.approx(100 * np.mean(scores), abs=0.01)


def with_masked_text(cell: CellRecord) -> CellRecord:
    masked = cell.conditions.set_column(
        cell.conditions.column_names.index("condition"), "condition", pa.array(["text masked"] * len(cell.conditions))
    )
    return replace(cell, conditions=pa.concat_tables([cell.conditions, masked]))


def test_a_modality_is_masked_and_retrained_without(results: CorpusCells) -> None:
    assert modality_table(results) is None, "no cell was tested with a masked modality"
    masked = replace(results, cells=tuple(map(with_masked_text, results.cells)))
    [row] = by_label(modality_table(masked)).values()
    assert row[0].startswith("−")
    assert row[2:] == ("–", "–")
    retrained = replace(masked, changes={"FMERL": {}, "w/o Valence": {"backbone.modalities": ["audio"]}})
    [row] = by_label(modality_table(retrained)).values()
    deltas = [
        without.metrics["test_weighted_f1"] - control.metrics["test_weighted_f1"]
        for without, control in zip(results.of_variant("w/o Valence"), results.of_variant("FMERL"), strict=True)
    ]
    assert row[2] == f"−{-100 * np.mean(deltas):.2f}"


def test_without_the_control_there_are_no_strata(results: CorpusCells) -> None:
    assert strata_table(replace(results, cells=results.of_variant("w/o Valence"))) is None
