"""A study's runs above its cells: opened before it trains, filled with what its finished cells show afterwards.

Everything is read from MLflow, so a report can be made again at any time, without training and without the inputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fmerl.errors import InputError
from fmerl_platform.ledger.cells import failure_reasons, read_cells
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import working_tree_diff
from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.ledger.schema import DIFF_FILE, STUDY_FILE
from fmerl_platform.ledger.views import variants_view
from fmerl_platform.report.table import markdown_text
from fmerl_platform.study.record import CorpusRecord, StudyRecord


@dataclass(frozen=True, kw_only=True)
class StudyRuns:
    """MLflow ids of the runs above the cells."""

    study: str
    variants: dict[tuple[str, str], str]
    """By (corpus, variant)."""

    def close(self, experiment: Experiment, *, complete: bool) -> None:
        """Nothing more is being trained; the study failed unless every cell is finished."""
        client = experiment.client()
        for run_id in self.variants.values():
            client.set_terminated(run_id, "FINISHED")
        client.set_terminated(self.study, "FINISHED" if complete else "FAILED")


def open_runs(experiment: Experiment, record: StudyRecord) -> StudyRuns:
    """Find or create the study's runs and write on them what the study is: its record, its source, its changes."""
    client = experiment.client()
    study = experiment.find_or_create(experiment.study, None, level="study")
    client.log_text(study, record.json(), STUDY_FILE)
    client.log_text(study, working_tree_diff(), DIFF_FILE)
    experiment.tag(study, {f"fmerl.{name}": value for name, value in record.facts().items()})
    runs = StudyRuns(study=study, variants={})
    for corpus in record.corpora:
        for variant, changes in corpus.changes.items():
            run_id = experiment.find_or_create(
                f"{corpus.corpus} · {variant}", study, level="variant", corpus=corpus.corpus, variant=variant
            )
            note = change_note(variant, corpus.corpus, record.control, changes)
            changed = " ".join(f"{path}={value}" for path, value in changes.items())
            experiment.tag(run_id, {"mlflow.note.content": note, "fmerl.changes": changed})
            runs.variants[corpus.corpus, variant] = run_id
    return runs


def read_runs(experiment: Experiment) -> StudyRuns:
    """The runs that `open_runs` made.

    Raises:
        InputError: The study has none.
    """
    found = experiment.find(level="study")
    if not found:
        raise InputError(f"study {experiment.study}", "it has no run of its own", "run the study's command first")
    places = {
        (run.data.tags["fmerl.corpus"], run.data.tags["fmerl.variant"]): run.info.run_id
        for run in experiment.find(level="variant")
    }
    return StudyRuns(study=found[0].info.run_id, variants=places)


def read_record(experiment: Experiment, runs: StudyRuns) -> StudyRecord:
    """The study as its last command asked for it.

    Raises:
        InputError: Its run keeps no record.
    """
    text = experiment.read_text(runs.study, STUDY_FILE)
    if text is None:
        raise InputError(f"study {experiment.study}", f"its run keeps no {STUDY_FILE}", "run the study's command again")
    return StudyRecord.parse(text)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """How MLflow's UI compares a study's variants: columns, and by which the rows are sorted, largest first."""

    columns: tuple[str, ...]
    order: str


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What finished cells show, on the run of their variant."""

    corpus: str
    variant: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    note: str
    """Description of the run, in Markdown."""
    cells: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Further metrics of single cells, by run id."""


def publish(
    experiment: Experiment, runs: StudyRuns, summaries: Iterable[RunSummary], note: str, warning: str, view: RunView
) -> None:
    """Write what a study shows to its runs.

    Args:
        experiment: Of the study.
        runs: Its runs.
        summaries: For its variants' runs.
        note: Description of the study, in Markdown.
        warning: Kept as a tag of the study; empty when there is none.
        view: How the UI compares the variants.
    """
    for summary in summaries:
        run_id = runs.variants[summary.corpus, summary.variant]
        # Without steps the UI draws bars of the variants, side by side, and no lines of one point.
        experiment.log_once(run_id, summary.metrics, step=0)
        experiment.tag(run_id, {**summary.tags, "mlflow.note.content": summary.note})
        for cell, metrics in summary.cells.items():
            experiment.log_once(cell, metrics, step=0)
    experiment.tag(runs.study, {"mlflow.note.content": note, **({"fmerl.warning": warning} if warning else {})})
    client = experiment.client()
    for name, value in {"mlflow.note.content": note, **variants_view(runs.study, view.columns, view.order)}.items():
        client.set_experiment_tag(experiment.experiment_id, name, value)


def read_results(experiment: Experiment, record: StudyRecord) -> tuple[CorpusCells, ...]:
    """What a study's finished cells left, by corpus."""
    finished: dict[str, list[CellRecord]] = defaultdict(list)
    for cell in read_cells(experiment, (cell.fingerprint for corpus in record.corpora for cell in corpus.cells)):
        finished[cell.corpus].append(cell)
    reasons = failure_reasons(experiment)
    return tuple(_results(corpus, record.control, finished[corpus.corpus], reasons) for corpus in record.corpora)


def _results(record: CorpusRecord, control: str, cells: Sequence[CellRecord], reasons: dict[str, str]) -> CorpusCells:
    finished = {cell.fingerprint for cell in cells}
    return CorpusCells(
        corpus=record.corpus,
        classes=record.classes,
        control=control,
        variants=tuple(record.changes),
        cells=tuple(cells),
        missing=tuple(
            (cell.variant, cell.seed, reasons.get(cell.fingerprint, "never ran"))
            for cell in record.cells
            if cell.fingerprint not in finished
        ),
        changes=record.changes,
        modalities=tuple(record.control["backbone.modalities"]),
        anchors=record.anchors,
    )


def change_note(variant: str, corpus: str, control: str, changes: Mapping[str, Any]) -> str:
    """A variant's description before it has results, in Markdown."""
    if variant == control:
        return f"**Control** on {markdown_text(corpus)}: every variant is compared with it."
    changed = ", ".join(f"`{path} = {value}`" for path, value in changes.items())
    return f"**{markdown_text(variant)}** on {markdown_text(corpus)}: {markdown_text(control)} with {changed}."
