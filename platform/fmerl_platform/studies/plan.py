"""A study before it runs: checked inputs, and the cells they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fmerl.conditions.condition import parse_conditions
from fmerl.corpus.dialogue import SPLITS, Split
from fmerl.supervision.anchors import mean_cosine
from fmerl.training.dataset import ConversationData
from fmerl_platform.report.table import Column, Table, columns
from fmerl_platform.studies.kind import StudyKind
from fmerl_platform.studies.wording import fold_warning, supervised_warning
from fmerl_platform.study.cells import Cell, CorpusInputs, plan_cells
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.study import Study


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """A study whose inputs were read and checked."""

    study: Study
    kind: StudyKind
    inputs: tuple[CorpusInputs, ...]
    cells: tuple[Cell, ...]


def plan_study(study: Study, kind: StudyKind, storage: Path) -> StudyPlan:
    """Read and check all inputs; synthetic corpora are written to `storage`.

    Raises:
        InputError, StudyError: Any fault of the inputs or of the study.
    """
    inputs = load_inputs(study, storage)
    cells = plan_cells(inputs, study.variants, study.seeds, kind.variants, parse_conditions(study.conditions))
    return StudyPlan(study=study, kind=kind, inputs=tuple(inputs), cells=tuple(cells))


def describe(plan: StudyPlan) -> Iterator[str]:
    """Lines on each corpus: its size, modalities, classes held out and conditions of its control."""
    for item in plan.inputs:
        data, config = item.data, item.control
        cosine = mean_cosine(item.anchors[config.anchors])
        yield (
            f"{data.corpus}: {len(data.label)} utterances in {len(data.split)} dialogues, {len(data.classes)} classes; "
            f"{'+'.join(config.backbone.modalities)}; mean cosine of anchors {cosine:.3f}"
        )
        if unseen := config.training.unseen_classes:
            yield f"{data.corpus}: held out: {', '.join(unseen)}; their utterances: {config.training.unseen_utterances}"
        control = next((cell for cell in plan.cells if cell.corpus == data.corpus), None)
        if control is not None and control.conditions:
            yield f"{data.corpus}: also tested under: {', '.join(each.name for each in control.conditions)}"


def warnings(plan: StudyPlan) -> Iterator[str]:
    """Warnings that a reader of the results must know, before anything is trained."""
    for item in plan.inputs:
        yield from _class_warnings(item)
        if item.supervised and (unseen := item.control.training.unseen_classes):
            yield supervised_warning(item.data.corpus, item.supervised, unseen)
        if item.supervised and item.folds:
            yield fold_warning(item.data.corpus, item.supervised)


def fold_tables(plan: StudyPlan) -> Iterator[Table]:
    """A table per corpus with folds: what each fold trains, selects and tests on."""
    for inputs in plan.inputs:
        if not inputs.folds:
            continue
        bare = replace(inputs, data=replace(inputs.data, features={}, missing={}))
        rows = []
        for name in inputs.folds:
            data = bare.data_of(name)
            labelled = np.add.reduceat(data.label >= 0, data.offsets[:-1], dtype=np.int64)
            inside = [data.split == index for index in range(len(SPLITS))]
            rows.append((name, *(f"{labelled[split].sum()} in {split.sum()}" for split in inside)))
        yield Table(
            name=f"{inputs.data.corpus} folds",
            caption=f"{len(inputs.folds)} folds of {inputs.data.corpus}",
            columns=columns("fold", *SPLITS),
            rows=tuple(rows),
            notes=("Labelled utterances in dialogues.",),
        )


def _class_warnings(item: CorpusInputs) -> Iterator[str]:
    bare = replace(item, data=replace(item.data, features={}, missing={}))
    unseen = item.control.training.unseen_classes
    for fold in item.folds or (None,):
        data = bare.data_of(fold)
        where = f" of fold {fold}" if fold is not None else ""
        train = f"{data.corpus}: train{where}"
        learned = [name for name in _classes_of(data, "train") if name not in unseen]
        absent = [name for name in data.classes if name not in learned and name not in unseen]
        if absent:
            yield f"{train} has no utterance of {', '.join(absent)}; it cannot be learned"
        if len(learned) < 2:
            yield f"{train} has {' and '.join(learned) or 'no class'} alone; there is nothing to tell apart"
        if len(selecting := _classes_of(data, "validation")) == 1:
            yield f"{data.corpus}: validation{where} has {selecting[0]} alone; the epoch that says it most is selected"


def _classes_of(data: ConversationData, split: Split) -> list[str]:
    """Classes of a split's labelled utterances."""
    counts = np.bincount(data.subset(split).label + 1, minlength=len(data.classes) + 1)[1:]
    return [name for name, count in zip(data.classes, counts, strict=True) if count]


def plan_table(plan: StudyPlan) -> Table:
    """A row per corpus and variant."""
    controls = {item.data.corpus: item.control for item in plan.inputs}
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in plan.cells:
        groups[cell.corpus, cell.variant].append(cell)
    rows = []
    for (corpus, variant), cells in groups.items():
        changes = ", ".join(cells[0].config.difference(controls[corpus]))
        seeds = " ".join(dict.fromkeys(str(cell.seed) for cell in cells))
        folds = [str(len({cell.fold for cell in cells}))] if cells[0].fold is not None else []
        rows.append((corpus, variant, seeds, *folds, str(cells[0].config.training.epochs), changes))
    folds = ["folds"] if plan.study.folds is not None else []
    headers = ("corpus", "variant", "seeds", *folds, "epochs", "changes of the control")
    return Table(
        name="cells",
        caption=f"{len(plan.cells)} cells of study {plan.study.name}",
        columns=tuple(Column(header, numeric=header in ("folds", "epochs")) for header in headers),
        rows=tuple(rows),
        notes=(),
    )
