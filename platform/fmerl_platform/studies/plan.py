"""A study before it runs: checked inputs, and the cells they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmerl.supervision.anchors import mean_cosine
from fmerl_platform.report.table import Column, Table
from fmerl_platform.studies.kind import StudyKind
from fmerl_platform.studies.wording import supervised_warning
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
    cells = plan_cells(inputs, study.variants, study.seeds, kind.variants)
    return StudyPlan(study=study, kind=kind, inputs=tuple(inputs), cells=tuple(cells))


def describe(plan: StudyPlan) -> Iterator[str]:
    """Lines on each corpus: its size, modalities and classes held out."""
    for item in plan.inputs:
        data, config = item.data, item.control
        cosine = mean_cosine(item.anchors[config.anchors])
        yield (
            f"{data.corpus}: {len(data.label)} utterances in {len(data.split)} dialogues, {len(data.classes)} classes; "
            f"{'+'.join(config.backbone.modalities)}; mean cosine of anchors {cosine:.3f}"
        )
        if unseen := config.training.unseen_classes:
            yield f"{data.corpus}: held out: {', '.join(unseen)}; their utterances: {config.training.unseen_utterances}"


def warnings(plan: StudyPlan) -> Iterator[str]:
    """Warnings that a reader of the results must know, before anything is trained."""
    for item in plan.inputs:
        yield from _class_warnings(item)
        if item.supervised and (unseen := item.control.training.unseen_classes):
            yield supervised_warning(item.data.corpus, item.supervised, unseen)


def _class_warnings(item: CorpusInputs) -> Iterator[str]:
    data, unseen = item.data, item.control.training.unseen_classes
    counts = np.bincount(data.subset("train").label + 1, minlength=len(data.classes) + 1)[1:]
    learned = [name for name, count in zip(data.classes, counts, strict=True) if count and name not in unseen]
    absent = [name for name in data.classes if name not in learned and name not in unseen]
    if absent:
        yield f"{data.corpus}: train has no utterance of {', '.join(absent)}; it cannot be learned"
    if len(learned) < 2:
        yield f"{data.corpus}: train has {' and '.join(learned) or 'no class'} alone; there is nothing to tell apart"


def plan_table(plan: StudyPlan) -> Table:
    """A row per corpus and variant."""
    controls = {item.data.corpus: item.control for item in plan.inputs}
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in plan.cells:
        groups[cell.corpus, cell.variant].append(cell)
    rows = []
    for (corpus, variant), cells in groups.items():
        changes = ", ".join(cells[0].config.difference(controls[corpus]))
        seeds = " ".join(str(cell.seed) for cell in cells)
        rows.append((corpus, variant, seeds, str(cells[0].config.training.epochs), changes))
    headers = ("corpus", "variant", "seeds", "epochs", "changes of the control")
    return Table(
        name="cells",
        caption=f"{len(plan.cells)} cells of study {plan.study.name}",
        columns=tuple(Column(header, numeric=header == "epochs") for header in headers),
        rows=tuple(rows),
        notes=(),
    )
