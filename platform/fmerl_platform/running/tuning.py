"""Settings and listener of a Ray Tune run, shared by cells and trials."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from ray import tune

from fmerl_platform.running.progress import RunEvents


class Listener(tune.Callback):
    """Turns Tune's events into progress."""

    def __init__(self, progress: RunEvents) -> None:
        self._progress = progress

    def __getstate__(self) -> dict[str, Any]:
        """Tune saves its callbacks beside the experiment; this one lives and ends with the driver."""
        return {}

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        logging.getLogger(__name__).warning("a worker died; what it was at is begun again")

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._progress.started(trial.trial_id)


def quiet_run(
    name: str, storage: Path, retries: int, listener: Listener, stop: tune.Stopper | None = None
) -> tune.RunConfig:
    """A run that tells its listener alone.

    Args:
        name: Of Tune's experiment.
        storage: Tune's own files go to `tune/` below it.
        retries: Of a trial whose worker died.
        listener: Told of every trial.
        stop: May end the run before all trials are.
    """
    # Tune's older, quieter output: at verbosity 0 the newer one still prints a table of its settings.
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    # Tune's own state is never read: trials leave no files of results, whose absence is no news, and where the rest
    # cannot be written the results cannot either, and that is told once. The listener tells of trials that fail; their
    # stacks are kept beside Tune's state.
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
    for name in ("analysis.experiment_analysis", "execution.experiment_state", "tune"):
        logging.getLogger(f"ray.tune.{name}").setLevel(logging.CRITICAL)
    return tune.RunConfig(
        name=name,
        storage_path=str((storage / "tune").resolve()),
        failure_config=tune.FailureConfig(max_failures=retries),
        callbacks=[listener],
        stop=stop,
        verbose=0,
    )
