"""Folds as an axis of a study: cells, fingerprints, the record, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmerl.errors import InputError
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.plan import StudyPlan, fold_tables, plan_study, plan_table, warnings
from fmerl_platform.study.cells import plan_cells
from fmerl_platform.study.fingerprint import fingerprint
from fmerl_platform.study.hold_out import HoldOut
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.record import StudyRecord, record_study
from fmerl_platform.study.study import Study

STUDY = Study(
    "folded",
    corpora=("synthetic-iemocap",),
    variants=(PAPER[0], PAPER[-1]),
    seeds=(0, 1),
    inputs=InputOptions(scale=0.05, modalities=("text",)),
    folds="3",
)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folds")


@pytest.fixture(scope="module")
def plan(storage: Path) -> StudyPlan:
    return plan_study(STUDY, Ablation(), storage)


def test_a_cell_per_variant_seed_and_fold_each_with_its_own_fingerprint(plan: StudyPlan) -> None:
    assert len(plan.cells) == 2 * 2 * 3
    assert len({cell.fingerprint for cell in plan.cells}) == 12
    assert plan.cells[0].name == "synthetic-iemocap · FMERL · seed 0 · fold 1"
    (inputs,) = plan.inputs
    for cell in plan.cells:
        data = inputs.data_of(cell.fold)
        assert fingerprint(cell.config, data, inputs.anchors[cell.config.anchors], cell.seed) == cell.fingerprint


def test_without_folds_nothing_is_otherwise(plan: StudyPlan, storage: Path) -> None:
    plain = plan_study(replace(STUDY, folds=None), Ablation(), storage)
    (inputs,) = plain.inputs
    assert [cell.fold for cell in plain.cells] == [None] * 4
    assert inputs.data_of(None) is inputs.data
    for cell in plain.cells:
        assert cell.name == f"synthetic-iemocap · {cell.variant} · seed {cell.seed}"
        assert fingerprint(cell.config, inputs.data, inputs.anchors[cell.config.anchors], cell.seed) == cell.fingerprint
    assert {cell.fingerprint for cell in plain.cells}.isdisjoint(cell.fingerprint for cell in plan.cells)
    assert list(fold_tables(plain)) == []
    assert [column.header for column in plan_table(plain).columns][:4] == ["corpus", "variant", "seeds", "epochs"]


def test_a_dry_run_shows_the_sizes_of_every_fold(plan: StudyPlan) -> None:
    (table,) = fold_tables(plan)
    assert [row[0] for row in table.rows] == ["1", "2", "3"]
    tested = [tuple(map(int, row[3].split(" in "))) for row in table.rows]
    data = plan.inputs[0].data
    assert sum(utterances for utterances, _ in tested) == (data.label >= 0).sum()
    assert sum(dialogues for _, dialogues in tested) == len(data.split)
    assert [row[2:4] for row in plan_table(plan).rows] == [("0 1", "3"), ("0 1", "3")]


def test_a_cell_is_bundled_with_its_folds_data(plan: StudyPlan) -> None:
    (inputs,) = plan.inputs
    first, second = (cell.facts(inputs)["data"] for cell in plan.cells[:2])
    assert (first.digests, second.digests) == tuple(inputs.data_of(fold).digests for fold in "12")
    assert first.digests["corpus"] != second.digests["corpus"] != inputs.data.digests["corpus"]


def test_a_class_that_a_folds_train_lacks_is_told_with_the_fold(plan: StudyPlan) -> None:
    (inputs,) = plan.inputs
    data = inputs.data_of("2")
    tested = set(data.subset("test").dialogue_id.tolist())
    rare = np.where((inputs.data.label == 0) & ~np.isin(inputs.data.dialogue_id, sorted(tested)), 1, inputs.data.label)
    item = replace(inputs, data=replace(inputs.data, label=rare), supervised=())
    assert list(warnings(replace(plan, inputs=(item,)))) == [
        f"synthetic-iemocap: train of fold 2 has no utterance of {data.classes[0]}; it cannot be learned"
    ]


def test_the_record_keeps_the_folds(plan: StudyPlan) -> None:
    def recorded(plan: StudyPlan) -> StudyRecord:
        return record_study(
            plan.study,
            plan.inputs,
            plan.cells,
            kind="ablation",
            kind_options={},
            command="python x",
            provenance={"code_digest": "c"},
        )

    record = recorded(plan)
    assert StudyRecord.parse(record.json()) == record
    assert (record.folds, list(record.corpora[0].folds)) == ("3", ["1", "2", "3"])
    plain_inputs = tuple(replace(item, folds={}) for item in plan.inputs)
    cells = tuple(plan_cells(plain_inputs, STUDY.variants, STUDY.seeds))
    plain = recorded(replace(plan, inputs=plain_inputs, cells=cells))
    assert plain.recipe(plain.corpora[0], "FMERL") != record.recipe(record.corpora[0], "FMERL")


def test_features_tuned_on_the_labels_are_refused(plan: StudyPlan, storage: Path) -> None:
    (card,) = storage.glob("synthetic/*/features/synthetic-iemocap/text/card.json")
    content = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps({**content, "supervised_on_labels": True}), encoding="utf-8")
    with pytest.raises(InputError, match="text features of synthetic-iemocap: by their card the encoder was trained"):
        plan_study(STUDY, Ablation(), storage)
    card.write_text(json.dumps(content), encoding="utf-8")


def test_folds_and_held_out_classes_exclude_each_other() -> None:
    with pytest.raises(InputError, match="--folds"):
        replace(STUDY, hold_out=HoldOut())
