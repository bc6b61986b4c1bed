"""Storage of a search: an Optuna study in SQLite, repaired after a killed driver.

A trial's state says how it went: `COMPLETE` ran to its end or was stopped early (fewer reports than that takes), `FAIL`
broke down. A trial that a killed driver left behind is set to `FAIL` and its point enqueued
again, tagged `retry_of`; it then counts for nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import optuna
from filelock import FileLock
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

Outcome = Literal["complete", "stopped early", "failed", "interrupted"]
_RETRY, _START = "retry_of", "start"


def open_study(path: Path, name: str, objectives: int = 1) -> tuple[optuna.Study, RDBStorage]:
    """The search's study and the storage that holds it, made when new; `optuna-dashboard` opens the same file.

    Args:
        path: SQLite file.
        name: Name of the study.
        objectives: Number of objectives of a new one.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Optuna does not expect another process while it makes a database: the second one waits.
    with FileLock(path.with_suffix(".lock")):
        storage = RDBStorage(f"sqlite:///{path.resolve()}")
        directions = [StudyDirection.MAXIMIZE] * objectives
        study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    return study, storage


def repair(study: optuna.Study, starts: Mapping[str, Mapping[str, float]]) -> None:
    """Enqueue what a killed driver left unfinished, and every starting point that is not known yet.

    The point is enqueued before its trial is ended: killed in between, the next repair finds both and adds nothing.

    Args:
        study: Study on which no driver works.
        starts: Starting points by name.
    """
    trials = study.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get(_RETRY) for trial in trials}
    for trial in trials:
        if trial.state is not TrialState.RUNNING:
            continue
        if trial.params and trial.number not in retried:
            kept = {key: value for key, value in trial.user_attrs.items() if key == _START}
            study.enqueue_trial(trial.params, user_attrs={**kept, _RETRY: trial.number})
        study.tell(trial.number, state=TrialState.FAIL)
    alive = {
        trial.user_attrs.get(_START)
        for trial in study.get_trials(deepcopy=False)
        if trial.state in (TrialState.WAITING, TrialState.COMPLETE) or (trial.params and trial.number not in retried)
    }
    for name, point in starts.items():
        if name not in alive:
            study.enqueue_trial(dict(point), user_attrs={_START: name})


def outcome(trial: FrozenTrial, study: optuna.Study, steps: int) -> Outcome:
    """Outcome of an ended trial.

    Args:
        trial: Ended trial.
        study: Study of the trial.
        steps: Reports of a trial that is not stopped.
    """
    if trial.state is not TrialState.FAIL:
        return "complete" if trial.values and len(trial.intermediate_values) >= steps else "stopped early"
    retried = {other.user_attrs.get(_RETRY) for other in study.get_trials(deepcopy=False)}
    return "interrupted" if not trial.params or trial.number in retried else "failed"


def ended(study: optuna.Study, steps: int) -> list[tuple[FrozenTrial, Outcome]]:
    """Trials that count, in order: all that ended but the interrupted."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    known = [(trial, outcome(trial, study, steps)) for trial in trials]
    return [(trial, how) for trial, how in known if how != "interrupted"]


def start_name(trial: FrozenTrial) -> str:
    """Name of the starting point that a trial is; else empty."""
    return str(trial.user_attrs.get(_START, ""))
