"""A study's runs above its cells: opened before it trains, filled with what its finished cells show afterwards.

Everything is read from MLflow, so a report can be made again at any time, without training and without the inputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fmerl.conditions.condition import parse_conditions
from fmerl.errors import InputError
from fmerl_platform.ledger.cells import Runs, failure_reasons, follow_plan, read_cells
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.pooling import pooled_over_folds
from fmerl_platform.ledger.provenance import working_tree_diff
from fmerl_platform.ledger.results import CellRecord, CorpusCells, MissingCell
from fmerl_platform.ledger.schema import DIFF_FILE, STUDY_FILE, Tag
from fmerl_platform.report.table import markdown_text
from fmerl_platform.study.record import CorpusRecord, StudyRecord


@dataclass(frozen=True, kw_only=True)
class StudyRuns:
    """MLflow ids of the runs above the cells."""

    study: str
    variants: dict[tuple[str, str], str]
    """Run ids by (corpus, variant)."""

    def close(self, experiment: Experiment, *, complete: bool) -> None:
        """End the runs after training; the study failed unless every cell is finished."""
        client = experiment.client()
        for run_id in self.variants.values():
            client.set_terminated(run_id, "FINISHED")
        client.set_terminated(self.study, "FINISHED" if complete else "FAILED")


def open_runs(experiment: Experiment, record: StudyRecord, seeds: Runs = None) -> StudyRuns:
    """Find or create the study's runs, named by this plan, and write record, source and changes on them.

    Args:
        experiment: The study's.
        record: Plan of this command.
        seeds: The study's seed runs, if they were just read; their tags follow.
    """
    client = experiment.client()
    study = experiment.find_or_create(experiment.study, None, level="study")
    client.log_text(study, record.json(), STUDY_FILE)
    client.log_text(study, working_tree_diff(), DIFF_FILE)
    experiment.tag(study, {f"fmerl.{name}": value for name, value in record.facts().items()})
    runs = _planned_runs(experiment, record, study, seeds)
    for run_id in runs.variants.values():
        client.update_run(run_id, status="RUNNING")
    return runs


def read_study(experiment: Experiment) -> tuple[StudyRecord, StudyRuns]:
    """Read the plan of the study's last command, and its runs, named by it.

    Raises:
        InputError: The study has no run, or one that keeps no record.
    """
    found = experiment.find(level="study")
    if not found:
        raise InputError(f"study {experiment.study}", "it has no run of its own", "run the study's command first")
    study = found[0].info.run_id
    text = experiment.read_text(study, STUDY_FILE)
    if text is None:
        raise InputError(f"study {experiment.study}", f"its run keeps no {STUDY_FILE}", "run the study's command again")
    record = StudyRecord.parse(text)
    return record, _planned_runs(experiment, record, study)


def _planned_runs(experiment: Experiment, record: StudyRecord, study: str, seeds: Runs = None) -> StudyRuns:
    """Runs of the plan's variants with their cells below; results logged for another recipe are withdrawn."""
    standing = {
        (run.data.tags[Tag.CORPUS], run.data.tags[Tag.VARIANT]): run for run in experiment.find(level="variant")
    }
    runs = StudyRuns(study=study, variants={})
    for corpus in record.corpora:
        for variant, changes in corpus.changes.items():
            place, recipe = (corpus.corpus, variant), record.recipe(corpus, variant)
            run = standing.get(place)
            if run is None:
                tags = {"level": "variant", "corpus": corpus.corpus, "variant": variant}
                runs.variants[place] = experiment.create(" · ".join(place), study, None, tags)
            else:
                runs.variants[place] = run.info.run_id
                if run.data.tags.get(Tag.RECIPE) == recipe:
                    continue
                experiment.withdraw(run)
            note = change_note(variant, corpus.corpus, record.control, changes)
            changed = " ".join(f"{path}={value}" for path, value in changes.items())
            said = {Tag.NOTE: note, Tag.CHANGES: changed, Tag.RECIPE: recipe}
            experiment.tag(runs.variants[place], said)
    follow_plan(experiment, record.cells, runs.variants, seeds)
    return runs


def read_results(experiment: Experiment, record: StudyRecord) -> tuple[CorpusCells, ...]:
    """Results of a study's finished cells, by corpus."""
    finished: dict[str, list[CellRecord]] = defaultdict(list)
    for cell in read_cells(experiment, record.cells):
        finished[cell.corpus].append(cell)
    reasons = failure_reasons(experiment)
    conditions = tuple(condition.name for condition in parse_conditions(record.conditions))
    return tuple(
        _results(corpus, record.control, finished[corpus.corpus], reasons, conditions) for corpus in record.corpora
    )


def _results(
    record: CorpusRecord,
    control: str,
    cells: Sequence[CellRecord],
    reasons: dict[str, str],
    conditions: tuple[str, ...],
) -> CorpusCells:
    finished = {cell.fingerprint for cell in cells}
    return CorpusCells(
        corpus=record.corpus,
        classes=record.classes,
        control=control,
        variants=tuple(record.changes),
        cells=tuple(cells),
        missing=tuple(
            MissingCell(cell.variant, cell.seed, reasons.get(cell.fingerprint, "never ran"), cell.fold)
            for cell in record.cells
            if cell.fingerprint not in finished
        ),
        changes=record.changes,
        modalities=tuple(record.control.get("backbone.modalities", ())),
        anchors=record.anchors,
        repeats=frozenset(record.repeats),
        folds=tuple(record.folds),
        pooled=pooled_over_folds(cells, tuple(record.folds)) if record.folds else (),
        conditions=conditions,
    )


def change_note(variant: str, corpus: str, control: str, changes: Mapping[str, Any]) -> str:
    """A variant's description before it has results, in Markdown."""
    if variant == control:
        return f"**Control** on {markdown_text(corpus)}: every variant is compared with it."
    changed = ", ".join(f"`{path} = {value}`" for path, value in changes.items())
    return f"**{markdown_text(variant)}** on {markdown_text(corpus)}: {markdown_text(control)} with {changed}."
