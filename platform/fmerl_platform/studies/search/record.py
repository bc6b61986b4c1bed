"""Logging of a search in MLflow: one run for the search, one per trial that counts, from Optuna's own record.

With one source, and found by trial number, no trial is doubled or lost, whatever killed the driver.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.report.document import ReportPaths
from fmerl_platform.studies.search.sections import SearchFindings
from fmerl_platform.studies.search.trial_store import Outcome, ended, start_name

_ERRORS = "errors"
"""Attribute of the study: the error of each failed trial by number, as text."""


class TrialLog:
    """Runs of a search's trials, each written when its trial has ended.

    Args:
        experiment: The search's.
        study: The search's trials, repaired.
        steps: Reports of a trial that is not stopped.
        metrics: Names of the objectives.
    """

    def __init__(self, experiment: Experiment, study: optuna.Study, steps: int, metrics: Sequence[str]) -> None:
        self._experiment, self._study, self._steps, self._metrics = experiment, study, steps, metrics
        self.run = experiment.find_or_create(experiment.study, None, level="search")
        """Id of the search's run."""
        self._known = set()
        for run in experiment.find(level="trial"):
            if run.info.status == "RUNNING":  # half written
                experiment.client().delete_run(run.info.run_id)
            else:
                self._known.add(int(run.data.tags[Tag.TRIAL]))

    @property
    def errors(self) -> dict[int, str]:
        """Error of each failed trial by number, where known."""
        return {int(number): error for number, error in self._study.user_attrs.get(_ERRORS, {}).items()}

    def failed(self, number: int, error: str) -> None:
        """Log a trial that has failed."""
        self._study.set_user_attr(_ERRORS, {**self._study.user_attrs.get(_ERRORS, {}), str(number): error})
        self.update()

    def update(self) -> None:
        """Log the trials that have ended and are not logged yet."""
        for trial, how in ended(self._study, self._steps):
            if trial.number not in self._known:
                self._add(trial, how)
                self._known.add(trial.number)

    def _add(self, trial: FrozenTrial, how: Outcome) -> None:
        tags = {"level": "trial", "trial": str(trial.number), "outcome": how}
        if start_name(trial):
            tags["start"] = start_name(trial)
        if trial.number in self.errors:
            tags["error"] = self.errors[trial.number][:5000]
        experiment, client = self._experiment, self._experiment.client()
        run = experiment.create(f"trial {trial.number}", self.run, None, tags)
        now = int((trial.datetime_complete.timestamp() if trial.datetime_complete else time.time()) * 1000)
        if len(self._metrics) == 1:
            experiment.log_history(run, self._metrics[0], trial.intermediate_values, now)
        else:
            for metric, value in zip(self._metrics, trial.values or (), strict=False):
                experiment.log_history(run, metric, {0: value}, now)
        experiment.set_params(run, trial.params)
        client.set_terminated(run, "FAILED" if how == "failed" else "FINISHED", end_time=now)


def record_search(
    log: TrialLog, experiment: Experiment, found: SearchFindings, note: str, paths: ReportPaths, configs: Sequence[Path]
) -> None:
    """Log what a search has found, and its report.

    Args:
        log: The log of its trials.
        experiment: The search's.
        found: Findings of the search.
        note: Description of the run, in Markdown.
        paths: Files of the report.
        configs: JSON of each configuration that was found.
    """
    single = found.best[0].params if found.best and len(found.objectives) == 1 else {}
    values = {f"best {path}": value for path, value in single.items()}
    importance = {f"importance {path}": value for path, value in found.importance.items()}
    experiment.log_once(log.run, {**values, **importance}, step=0)
    experiment.tag(log.run, {Tag.NOTE: note})
    client = experiment.client()
    for path in (paths.html, paths.markdown, paths.latex, *configs):
        client.log_artifact(log.run, str(path))
    for path in paths.figures:
        client.log_artifact(log.run, str(path), "figures")
    client.set_terminated(log.run, "FINISHED")
