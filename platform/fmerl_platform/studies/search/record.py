"""Logging of a search in MLflow: one run for the search, one per trial that counts, from Optuna's own record.

With one source, and found by trial number, no trial is doubled or lost, whatever killed the driver.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import optuna

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.report.document import ReportPaths
from fmerl_platform.studies.search.sections import SearchFindings
from fmerl_platform.studies.search.space import OBJECTIVE
from fmerl_platform.studies.search.trial_store import ended, start_name


def record_search(
    experiment: Experiment,
    study: optuna.Study,
    steps: int,
    found: SearchFindings,
    note: str,
    paths: ReportPaths,
    best: Path,
) -> None:
    """Log a search, its trials and its report.

    Args:
        experiment: The search's.
        study: The search's trials.
        steps: Epochs of a trial that is not stopped.
        found: Findings of the search.
        note: Description of the run, in Markdown.
        paths: Files of the report.
        best: JSON of the best configuration, which may not be there.
    """
    run = experiment.find_or_create(experiment.study, None, level="search")
    _record_trials(experiment, run, study, steps, found.errors)
    values = {f"best {path}": value for path, value in (found.best.params if found.best else {}).items()}
    importance = {f"importance {path}": value for path, value in found.importance.items()}
    experiment.log_once(run, {**values, **importance}, step=0)
    experiment.tag(run, {Tag.NOTE: note})
    client = experiment.client()
    for path in (paths.html, paths.markdown, paths.latex, best):
        if path.exists():
            client.log_artifact(run, str(path))
    for path in paths.figures:
        client.log_artifact(run, str(path), "figures")
    client.set_terminated(run, "FINISHED")


def _record_trials(
    experiment: Experiment, parent: str, study: optuna.Study, steps: int, errors: Mapping[int, str]
) -> None:
    """Log the trials that are not logged yet.

    Args:
        experiment: The search's.
        parent: Id of the search's run.
        study: The search's trials.
        steps: Epochs of a trial that is not stopped.
        errors: Error of each failed trial by number, where known.
    """
    client, known = experiment.client(), set()
    for run in experiment.find(level="trial"):
        if run.info.status == "RUNNING":  # half written
            client.delete_run(run.info.run_id)
        else:
            known.add(int(run.data.tags[Tag.TRIAL]))
    for trial, how in ended(study, steps):
        if trial.number in known:
            continue
        tags = {"level": "trial", "trial": str(trial.number), "outcome": how}
        if start_name(trial):
            tags["start"] = start_name(trial)
        if trial.number in errors:
            tags["error"] = errors[trial.number][:5000]
        run_id = experiment.find_or_create(f"trial {trial.number}", parent, **tags)
        now = int((trial.datetime_complete.timestamp() if trial.datetime_complete else time.time()) * 1000)
        experiment.log_history(run_id, OBJECTIVE, trial.intermediate_values, now)
        experiment.set_params(run_id, trial.params)
        client.set_terminated(run_id, "FAILED" if how == "failed" else "FINISHED", end_time=now)
