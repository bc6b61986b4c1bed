"""Finished cells, read back from MLflow: all that statistics and report need."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import MlflowClient
from mlflow.entities import Run

from fmerl_platform.ledger.experiment import Experiment, Planned
from fmerl_platform.ledger.results import CellRecord
from fmerl_platform.ledger.schema import CONDITIONS, EPOCH_METRICS, PREDICTIONS
from fmerl_platform.study.cells import CellFailure

AnyPlanned = TypeVar("AnyPlanned", bound=Planned)


def unfinished(experiment: Experiment, cells: Sequence[AnyPlanned]) -> list[AnyPlanned]:
    """Cells still to train. Half-done runs of theirs are deleted; finished runs of an older code or configuration
    under the same corpus, variant and seed are tagged `fmerl.superseded`, and lose the tag when they are planned again.
    """
    planned = {cell.fingerprint for cell in cells}
    places = {(cell.corpus, cell.variant, str(cell.seed)) for cell in cells}
    finished: set[str] = set()
    client = experiment.client()
    for run in experiment.find(level="seed"):
        tags = run.data.tags
        place = tags["fmerl.corpus"], tags["fmerl.variant"], tags["fmerl.seed"]
        if tags["fmerl.fingerprint"] in planned:
            if run.info.status != "FINISHED":
                client.delete_run(run.info.run_id)
                continue
            finished.add(tags["fmerl.fingerprint"])
            if "fmerl.superseded" in tags:
                client.delete_tag(run.info.run_id, "fmerl.superseded")
        elif place in places and "fmerl.superseded" not in tags:
            experiment.tag(run.info.run_id, {"fmerl.superseded": "true"})
    return [cell for cell in cells if cell.fingerprint not in finished]


def finished_runs(experiment: Experiment) -> dict[str, str]:
    """Run id by fingerprint of each finished cell."""
    runs = [run for run in experiment.find(level="seed") if run.info.status == "FINISHED"]
    return {run.data.tags["fmerl.fingerprint"]: run.info.run_id for run in runs}


def read_cells(experiment: Experiment, fingerprints: Iterable[str]) -> list[CellRecord]:
    """The finished cells among these, with their histories and predictions."""
    wanted, client = set(fingerprints), experiment.client()
    return [
        _record(client, run)
        for run in experiment.find(level="seed")
        if run.info.status == "FINISHED" and run.data.tags["fmerl.fingerprint"] in wanted
    ]


def mark_failed(experiment: Experiment, failures: Iterable[CellFailure]) -> None:
    """End the runs of cells that left no result, saying why; a worker that died could not do it itself."""
    client = experiment.client()
    for failure in failures:
        for run in experiment.find(fingerprint=failure.cell.fingerprint):
            if run.info.status == "RUNNING":
                experiment.tag(run.info.run_id, {"fmerl.error": failure.error[:5000]})
                client.set_terminated(run.info.run_id, "FAILED")


def failure_reasons(experiment: Experiment) -> dict[str, str]:
    """What went wrong, by fingerprint of each failed cell."""
    tags = [run.data.tags for run in experiment.find(level="seed") if run.info.status == "FAILED"]
    return {tag["fmerl.fingerprint"]: tag["fmerl.error"] for tag in tags if "fmerl.error" in tag}


def _record(client: MlflowClient, run: Run) -> CellRecord:
    run_id, tags = run.info.run_id, run.data.tags
    history = {
        name: [metric.value for metric in sorted(client.get_metric_history(run_id, name), key=lambda m: m.step)]
        for name in EPOCH_METRICS
    }
    left = {file.path for file in client.list_artifacts(run_id)}
    with tempfile.TemporaryDirectory() as folder:
        predictions = pq.read_table(client.download_artifacts(run_id, PREDICTIONS, folder))
        # Only what was trained here can be tested under other conditions.
        conditions = (
            pq.read_table(client.download_artifacts(run_id, CONDITIONS, folder))
            if CONDITIONS in left
            else predictions.slice(0, 0).append_column("condition", pa.array([], pa.string()))
        )
    return CellRecord(
        corpus=tags["fmerl.corpus"],
        variant=tags["fmerl.variant"],
        seed=int(tags["fmerl.seed"]),
        fingerprint=tags["fmerl.fingerprint"],
        run_id=run_id,
        metrics={name: value for name, value in run.data.metrics.items() if name not in EPOCH_METRICS},
        history=history,
        predictions=predictions,
        conditions=conditions,
    )
