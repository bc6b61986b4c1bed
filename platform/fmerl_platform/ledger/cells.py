"""Finished cells, read back from MLflow: all that statistics and report need."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, list_artifacts
from mlflow.entities import Run

from fmerl.rows import mapped
from fmerl_platform.ledger.conditions import tested_conditions
from fmerl_platform.ledger.experiment import Experiment, Planned
from fmerl_platform.ledger.results import CellRecord
from fmerl_platform.ledger.schema import CONDITIONS, EPOCH_METRICS, PREDICTIONS, Tag
from fmerl_platform.ledger.store import call_patiently, count_rows
from fmerl_platform.study.cells import CellFailure, cell_name
from fmerl_platform.study.record import CellKey

_LEFT_OUT = "Not planned by the study's last command; the metrics are those of the last one that planned it."

AnyPlanned = TypeVar("AnyPlanned", bound=Planned)
Runs = Sequence[Run] | None
"""A study's seed runs, if they were just read."""


def follow_plan(
    experiment: Experiment, planned: Iterable[Planned], parents: Mapping[tuple[str, str], str], runs: Runs = None
) -> None:
    """Rename a study's runs by its plan: a finished cell is known by its fingerprint alone.

    Seed runs get tags, name and parent of the planned cell; seeds that the plan leaves out go with their variant's.
    A variant's run that is not planned is deleted when no cell is left to it; else it is tagged `fmerl.planned=false`.

    Args:
        experiment: The study's.
        planned: All planned cells.
        parents: Run id of each planned (corpus, variant).
        runs: The study's seed runs, if they were just read; their tags follow.
    """
    cells, client = {cell.fingerprint: cell for cell in planned}, experiment.client()
    runs = experiment.find(level="seed") if runs is None else runs
    variants = {
        _configuration(run): (cells[key].corpus, cells[key].variant)
        for run in runs
        if (key := run.data.tags[Tag.FINGERPRINT]) in cells
    }
    held: set[str] = set()
    for run in runs:
        tags, cell = run.data.tags, cells.get(run.data.tags[Tag.FINGERPRINT])
        seed, fold = (int(tags[Tag.SEED]), tags.get(Tag.FOLD)) if cell is None else (cell.seed, cell.fold)
        before = tags[Tag.CORPUS], tags[Tag.VARIANT]
        corpus, variant = variants.get(_configuration(run), before) if cell is None else (cell.corpus, cell.variant)
        wanted = {Tag.CORPUS: corpus, Tag.VARIANT: variant, Tag.SEED: str(seed)}
        if fold is not None:
            wanted[Tag.FOLD] = fold
        if cell is not None or (corpus, variant) != before:
            wanted[Tag.PARENT] = parents[corpus, variant]
        held.add(wanted.get(Tag.PARENT, tags[Tag.PARENT]))
        if any(tags.get(key) != value for key, value in wanted.items()):
            client.update_run(run.info.run_id, name=cell_name(corpus, variant, seed, fold))
            experiment.tag(run.info.run_id, wanted)
            tags.update(wanted)
    for run in experiment.find(level="variant"):
        run_id, stands = run.info.run_id, run.data.tags.get(Tag.PLANNED)
        if run_id in parents.values():
            if stands != "true":
                experiment.tag(run_id, {Tag.PLANNED: "true"})
        elif run_id not in held:
            client.delete_run(run_id)
        elif stands != "false":
            experiment.untag(run, Tag.VERDICT)
            experiment.tag(run_id, {Tag.PLANNED: "false", Tag.NOTE: _LEFT_OUT})


def _configuration(run: Run) -> tuple[str, frozenset[tuple[str, str]]]:
    """Key that the seeds of one variant share."""
    return run.data.tags[Tag.PARENT], frozenset(run.data.params.items())


def unfinished(experiment: Experiment, cells: Sequence[AnyPlanned], runs: Runs = None) -> list[AnyPlanned]:
    """Cells still to train. Half-done runs of theirs are deleted; finished runs of an older code or configuration
    under the same corpus, variant and seed are tagged `fmerl.superseded`, and lose the tag when they are planned again.

    Args:
        experiment: The study's.
        cells: All planned cells.
        runs: The study's seed runs, if they were just read.
    """
    planned = {cell.fingerprint for cell in cells}
    places = {(cell.corpus, cell.variant, str(cell.seed)) for cell in cells}
    finished: set[str] = set()
    client = experiment.client()
    for run in experiment.find(level="seed") if runs is None else runs:
        tags = run.data.tags
        place = tags[Tag.CORPUS], tags[Tag.VARIANT], tags[Tag.SEED]
        if tags[Tag.FINGERPRINT] in planned:
            if run.info.status != "FINISHED":
                client.delete_run(run.info.run_id)
                continue
            finished.add(tags[Tag.FINGERPRINT])
            if Tag.SUPERSEDED in tags:
                client.delete_tag(run.info.run_id, Tag.SUPERSEDED)
        elif place in places and Tag.SUPERSEDED not in tags:
            experiment.tag(run.info.run_id, {Tag.SUPERSEDED: "true"})
    return [cell for cell in cells if cell.fingerprint not in finished]


@dataclass(frozen=True, kw_only=True)
class FinishedCell(CellKey):
    """A finished cell and its run, without its results."""

    run_id: str
    metrics: Mapping[str, float]
    unseen: tuple[str, ...]
    """Classes that it held out."""
    conditions: tuple[str, ...]
    """Names of the conditions that it was tested under."""
    superseded: bool
    """True if a cell of other code or configuration has taken its place in the plan."""


def finished_cells(experiment: Experiment, **tags: str) -> list[FinishedCell]:
    """The finished cells that carry all these `fmerl.*` tags, oldest first."""
    return [
        FinishedCell(
            corpus=run.data.tags[Tag.CORPUS],
            variant=run.data.tags[Tag.VARIANT],
            seed=int(run.data.tags[Tag.SEED]),
            fingerprint=run.data.tags[Tag.FINGERPRINT],
            fold=run.data.tags.get(Tag.FOLD),
            run_id=run.info.run_id,
            metrics=run.data.metrics,
            unseen=unseen_classes(run),
            conditions=tested_conditions(run),
            superseded=Tag.SUPERSEDED in run.data.tags,
        )
        for run in experiment.find(status="FINISHED", level="seed", **tags)
    ]


def unseen_classes(run: Run) -> tuple[str, ...]:
    """Classes that a seed run held out."""
    return tuple(name for name in run.data.tags.get(Tag.UNSEEN, "").split(",") if name)


def read_cells(experiment: Experiment, planned: Iterable[Planned]) -> list[CellRecord]:
    """The finished cells among these under their planned names, with their histories and predictions."""
    count_rows(experiment.uri)
    wanted = {cell.fingerprint: cell for cell in planned}
    runs = [run for run in experiment.find(status="FINISHED", level="seed") if run.data.tags[Tag.FINGERPRINT] in wanted]
    predictions = mapped(_table(experiment.uri, run, PREDICTIONS) for run in runs)
    conditions = mapped(_conditions(experiment.uri, *each) for each in zip(runs, predictions, strict=True))
    client = experiment.client()
    return [
        _record(client, run, wanted[run.data.tags[Tag.FINGERPRINT]], *tables)
        for run, *tables in zip(runs, predictions, conditions, strict=True)
    ]


def mark_failed(experiment: Experiment, failures: Iterable[CellFailure]) -> None:
    """End the runs of cells that left no result, saying why; a worker that died could not do it itself."""
    errors = {failure.cell.fingerprint: failure.error[:5000] for failure in failures}
    for run in experiment.find(status="RUNNING", level="seed") if errors else ():
        if (fingerprint := run.data.tags[Tag.FINGERPRINT]) in errors:
            experiment.tag(run.info.run_id, {Tag.ERROR: errors[fingerprint]})
            experiment.client().set_terminated(run.info.run_id, "FAILED")


def failure_reasons(experiment: Experiment) -> dict[str, str]:
    """Errors by fingerprint of each failed cell."""
    tags = [run.data.tags for run in experiment.find(status="FAILED", level="seed")]
    return {tag[Tag.FINGERPRINT]: tag[Tag.ERROR] for tag in tags if Tag.ERROR in tag}


def _conditions(uri: str, run: Run, predictions: pa.Table) -> pa.Table:
    """A run's rows under conditions: none where nothing was trained that could be tested under any."""
    left = call_patiently(uri, list_artifacts, artifact_uri=run.info.artifact_uri, tracking_uri=uri)
    if any(Path(file.path).name == CONDITIONS for file in left):
        return _table(uri, run, CONDITIONS)
    return predictions.slice(0, 0).append_column("condition", pa.array([], pa.string()))


def _table(uri: str, run: Run, name: str) -> pa.Table:
    """A table of a run, by the artifact's own URI: by the run's id MLflow would search its database twice."""
    where = f"{run.info.artifact_uri}/{name}"
    with tempfile.TemporaryDirectory() as folder:
        return pq.read_table(call_patiently(uri, download_artifacts, where, dst_path=folder, tracking_uri=uri))


def _record(client: MlflowClient, run: Run, cell: Planned, predictions: pa.Table, conditions: pa.Table) -> CellRecord:
    history = {name: client.get_metric_history(run.info.run_id, name) for name in EPOCH_METRICS}
    return CellRecord(
        corpus=cell.corpus,
        variant=cell.variant,
        seed=cell.seed,
        fingerprint=cell.fingerprint,
        run_id=run.info.run_id,
        metrics={name: value for name, value in run.data.metrics.items() if name not in EPOCH_METRICS},
        history={name: [each.value for each in sorted(found, key=lambda m: m.step)] for name, found in history.items()},
        predictions=predictions,
        conditions=conditions,
        fold=cell.fold,
    )
