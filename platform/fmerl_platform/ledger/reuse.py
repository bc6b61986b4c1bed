"""Cells that another study on the same server has finished: copied into this one instead of trained again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from fmerl_platform.ledger.cells import AnyPlanned, unseen_classes
from fmerl_platform.ledger.conditions import tested_conditions, told
from fmerl_platform.ledger.experiment import Experiment, Planned
from fmerl_platform.ledger.schema import PREDICTIONS, Tag


def reuse(
    experiment: Experiment, cells: Sequence[AnyPlanned], parents: Mapping[tuple[str, str], str]
) -> list[AnyPlanned]:
    """Give this study a run of its own for every cell that another one has finished, tagged `fmerl.reused_from`.

    Args:
        experiment: This study's.
        cells: Unfinished cells.
        parents: Run id of each (corpus, variant).

    Returns:
        The cells that are finished nowhere, or whose files are gone.
    """
    elsewhere = experiment.finished_elsewhere() if cells else {}
    return [
        cell
        for cell in cells
        if cell.fingerprint not in elsewhere
        or not _copy(experiment, elsewhere[cell.fingerprint], cell, parents[cell.corpus, cell.variant])
    ]


def _copy(experiment: Experiment, source: Run, cell: Planned, parent: str) -> bool:
    """Copy the run, and return True, if it left the predictions that a finished cell needs."""
    client, source_id = experiment.client(), source.info.run_id
    with tempfile.TemporaryDirectory() as folder:
        try:
            client.download_artifacts(source_id, "", folder)
        except (MlflowException, OSError):  # moved or deleted behind MLflow's back
            return False
        if not (Path(folder) / PREDICTIONS).exists():
            return False
        note = f"Finished in the study `{source.data.tags[Tag.STUDY]}` as run `{source_id}`, and reused here."
        run = experiment.begin(cell, parent, source.data.params, note, unseen_classes(source))
        assert run is not None, "the cell is unfinished, and this study is locked"
        experiment.tag(run.run_id, {Tag.REUSED_FROM: source_id, **told(tested_conditions(source))})
        history = [metric for name in source.data.metrics for metric in client.get_metric_history(source_id, name)]
        run.finish_as(history, sorted(Path(folder).iterdir()))
    return True
