"""Conditions that finished cells were tested under, and those that they lack."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from mlflow import MlflowClient
from mlflow.entities import Run

from fmerl.rows import write_rows
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.kept_bundles import keeps_bundle
from fmerl_platform.ledger.schema import CONDITIONS, Tag
from fmerl_platform.study.cells import Cell


class Untested(NamedTuple):
    """Finished cells that lack a condition."""

    testable: list[Cell]
    """They kept their models."""
    lost: list[Cell]
    """They did not, and cannot be tested any more."""


def tested_conditions(run: Run) -> tuple[str, ...]:
    """Names of the conditions that a seed run's model was tested under."""
    return tuple(name for name in run.data.tags.get(Tag.CONDITIONS, "").split(",") if name)


def told(names: Collection[str]) -> dict[str, str]:
    """The tag of a seed run whose model was tested under these conditions."""
    return {Tag.CONDITIONS: ",".join(sorted(names))}


def finished_run(experiment: Experiment, fingerprint: str) -> Run | None:
    """The finished run of a cell."""
    return next(iter(experiment.find(status="FINISHED", level="seed", fingerprint=fingerprint)), None)


def untested(experiment: Experiment, cells: Sequence[Cell], runs: Sequence[Run] | None = None) -> Untested:
    """The finished cells among these that were not tested under all their conditions.

    Args:
        experiment: The study's.
        cells: All planned cells.
        runs: The study's seed runs, if they were just read.
    """
    by_fingerprint = {cell.fingerprint: cell for cell in cells}
    found, client = Untested([], []), experiment.client()
    for run in experiment.find(level="seed") if runs is None else runs:
        cell = by_fingerprint.get(run.data.tags[Tag.FINGERPRINT])
        if cell is None or run.info.status != "FINISHED":
            continue
        if {condition.name for condition in cell.conditions} - {*tested_conditions(run)}:
            (found.testable if keeps_bundle(client, run.info.run_id) else found.lost).append(cell)
    return found


def add_conditions(client: MlflowClient, run: Run, tables: Sequence[pa.Table]) -> None:
    """Add tables of further conditions to a finished run; the tag comes last, so an interrupted one is made again."""
    run_id = run.info.run_id
    names = {table["condition"][0].as_py() for table in tables}
    with tempfile.TemporaryDirectory() as folder:
        before = pq.read_table(client.download_artifacts(run_id, CONDITIONS, folder))
        kept = before.filter(~pc.field("condition").isin(sorted(names)))
        path = Path(folder) / CONDITIONS
        path.unlink()
        write_rows(path, pa.concat_tables([kept, *tables]))
        client.log_artifact(run_id, str(path))
    for tag, value in told({*tested_conditions(run), *names}).items():
        client.set_tag(run_id, tag, value)
