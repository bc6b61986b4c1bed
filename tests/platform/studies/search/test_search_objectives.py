"""What a trial is judged by: the numbers of cells of the same configuration, and no label that they may not see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from fmerl.training.cell import CellResult, train_cell
from fmerl_platform.studies.search.objectives import trial_scores
from fmerl_platform.studies.search.plan import SearchPlan

CPU = torch.device("cpu")


def scores(plan: SearchPlan, *, one_by_one: bool = False) -> Iterator[dict[str, float]]:
    inputs = plan.inputs
    data, anchors = inputs.data.subset("train", "validation"), inputs.anchors[inputs.control.anchors]
    return trial_scores(plan.objectives, inputs.control, data, anchors, plan.search.seeds, CPU, one_by_one=one_by_one)


@pytest.fixture(scope="module")
def by_epoch(plan: SearchPlan) -> list[dict[str, float]]:
    return list(scores(plan))


def cells(plan: SearchPlan, held_out: tuple[str, ...]) -> list[CellResult]:
    """Cells of the search's seeds that hold these classes out."""
    inputs = plan.inputs
    config = inputs.control.changed(training__unseen_classes=held_out)
    return [
        train_cell(config, inputs.data, inputs.anchors[config.anchors], seed, device=CPU) for seed in plan.search.seeds
    ]


def test_weighted_f1_is_what_cells_select_by(plan: SearchPlan, by_epoch: list[dict[str, float]]) -> None:
    selected = [cell.metrics["validation_selected_weighted_f1"] for cell in cells(plan, ())]
    assert by_epoch[-1]["objective"] == pytest.approx(np.mean(selected), abs=1e-12)
    assert len(by_epoch) == plan.inputs.control.training.epochs


def test_unseen_accuracy_is_that_of_cells_that_hold_a_seen_class_out_as_well(
    plan: SearchPlan, by_epoch: list[dict[str, float]]
) -> None:
    classes, held_out = plan.inputs.data.classes, plan.objectives[1].held_out
    *unseen, stand_in = held_out
    assert unseen == ["fear"]
    assert stand_in != "fear"
    right = []
    for cell in cells(plan, held_out):
        validation = cell.predictions.filter(pc.field("split") == "validation")
        rows = validation.filter(pc.field("gold") == stand_in)["scores"].to_pylist()
        candidates = np.array(rows)
        candidates[:, [classes.index(name) for name in unseen]] = -np.inf
        right.append(np.mean(candidates.argmax(1) == classes.index(stand_in)))
    assert by_epoch[-1]["unseen_accuracy"] == pytest.approx(np.mean(right), abs=1e-12)


def test_labels_of_unseen_classes_change_no_unseen_accuracy(plan: SearchPlan, by_epoch: list[dict[str, float]]) -> None:
    data = plan.inputs.data
    fear = data.label == data.classes.index("fear")
    assert fear.any()
    vad = np.where(fear[:, None], np.float32(0), data.vad)
    other = replace(data, label=np.where(fear, -1, data.label), vad=vad)
    changed = list(scores(replace(plan, inputs=replace(plan.inputs, data=other), objectives=plan.objectives[1:])))
    assert [each["unseen_accuracy"] for each in changed] == [each["unseen_accuracy"] for each in by_epoch]


def test_seeds_one_by_one_end_where_seeds_side_by_side_do(plan: SearchPlan, by_epoch: list[dict[str, float]]) -> None:
    by_seed = list(scores(plan, one_by_one=True))
    assert len(by_seed) == len(plan.search.seeds)
    assert by_seed[-1] == pytest.approx(by_epoch[-1], abs=1e-12)
    first = list(scores(replace(plan, search=replace(plan.search, seeds=plan.search.seeds[:1]))))
    assert by_seed[0] == pytest.approx(first[-1], abs=1e-12)
