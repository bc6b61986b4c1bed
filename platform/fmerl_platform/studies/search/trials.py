"""Runs trials on Ray Tune: Optuna proposes, ASHA stops the hopeless early, workers stay warm between trials."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from fmerl.config import CellConfig
from fmerl.training.dataset import ConversationData
from fmerl_platform.running.nodes import given_device, nodes_of_cluster
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import RunEvents
from fmerl_platform.running.tuning import Listener, quiet_run
from fmerl_platform.studies.search.objectives import Objective, trial_scores
from fmerl_platform.studies.search.placement import place_trials
from fmerl_platform.studies.search.plan import SearchPlan
from fmerl_platform.studies.search.record import TrialLog
from fmerl_platform.studies.search.samplers import create_sampler
from fmerl_platform.studies.search.space import NUMBER
from fmerl_platform.studies.search.stopping import NoImprovement, WorseThanBest

_RETRIES = 1


def run_trials(
    plan: SearchPlan,
    trials: int,
    *,
    study: optuna.Study,
    storage: RDBStorage,
    resources: Resources,
    folder: Path,
    progress: RunEvents,
    patience: NoImprovement,
    worse: WorseThanBest | None,
    log: TrialLog,
) -> None:
    """Run this many more trials on the connected Ray cluster.

    Args:
        plan: The search, of whose data workers get train and validation splits only.
        trials: Number of trials to add to the study.
        study: The search's study, repaired.
        storage: Storage of `study`.
        resources: Resources of each trial, as asked for.
        folder: Folder of Tune's own files.
        progress: Shows every trial that starts or ends.
        patience: Ends the search before all trials are run; it has counted those of `study`.
        worse: Ends single trials; it knows those of `study`.
        log: Told of every trial that ends.
    """
    search, inputs = plan.search, plan.inputs
    placement = place_trials(inputs, search.models_at_once, resources, nodes_of_cluster())
    metrics = [each.metric for each in plan.objectives]
    trainable = tune.with_parameters(
        _train_trial,
        control=inputs.control,
        data=inputs.data.subset("train", "validation"),
        anchors=inputs.anchors[inputs.control.anchors],
        objectives=plan.objectives,
        seeds=search.seeds,
        one_by_one=search.stops == "wilcoxon",
    )
    searcher = OptunaSearch(
        space=plan.space,
        metric=metrics[0] if len(metrics) == 1 else metrics,
        mode="max" if len(metrics) == 1 else ["max"] * len(metrics),
        sampler=create_sampler(search.sampler, len(study.trials)),
        study_name=study.study_name,
        storage=storage,
    )
    rules = _Rules(metrics, patience, worse, len(search.seeds))
    epochs = inputs.control.training.epochs
    tune.Tuner(
        tune.with_resources(trainable, placement.by_name),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=_early_stopping(metrics[0], epochs) if search.stops == "asha" else None,
            num_samples=trials,
            max_concurrent_trials=placement.at_once,
            reuse_actors=True,
        ),
        run_config=quiet_run(study.study_name, folder, _RETRIES, _Listener(progress, rules, log), rules),
    ).fit()


def _early_stopping(metric: str, epochs: int) -> ASHAScheduler | None:
    """ASHA (Li et al. 2020), whose last check lies before the last epoch: a trial that gets there is not stopped."""
    if epochs < 2:
        return None
    grace = max(1, epochs // 4)
    return ASHAScheduler(
        metric=metric,
        mode="max",
        max_t=epochs - 1,
        grace_period=grace,
        reduction_factor=2,
        stop_last_trials=False,
    )


def _train_trial(
    config: dict[str, Any],
    *,
    control: CellConfig,
    data: ConversationData,
    anchors: Any,
    objectives: Sequence[Objective],
    seeds: Sequence[int],
    one_by_one: bool,
) -> None:
    cell = control.with_values({path: value for path, value in config.items() if path != NUMBER})
    scores = trial_scores(objectives, cell, data, anchors, seeds, given_device(), one_by_one=one_by_one)
    # Optuna keeps no reports of several objectives, so that one which was stopped is known by having none.
    for each in scores if len(objectives) == 1 else deque(scores, maxlen=1):
        tune.report(each)


class _Rules(tune.Stopper):
    """Ends a trial that is worse than the best, and the whole search once it finds nothing better.

    Args:
        metrics: Names of the objectives.
        patience: Rule of the search.
        worse: Rule of single trials, whose reports are means over the seeds so far.
        seeds: Number of reports of a trial that `worse` does not end.
    """

    def __init__(
        self, metrics: Sequence[str], patience: NoImprovement, worse: WorseThanBest | None, seeds: int
    ) -> None:
        self._metrics, self._patience, self._worse, self._seeds = metrics, patience, worse, seeds
        self._means: dict[str, dict[int, float]] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        if self._worse is None:
            return False
        means, step = self._means.setdefault(trial_id, {}), result["training_iteration"]
        means[step] = result[self._metrics[0]]
        if step < self._seeds:
            return self._worse.reached({known: means[known] for known in range(1, step + 1)})
        if len(means) == self._seeds:  # Tune tells the last report of a trial twice
            self._worse.add(self._means.pop(trial_id))
        return False

    def stop_all(self) -> bool:
        return self._patience.reached

    def ended(self, result: dict[str, Any]) -> list[float]:
        """Count a trial that has ended, and return its objectives; none if it failed."""
        objectives = [result[metric] for metric in self._metrics if metric in result]
        self._patience.add(objectives)
        return objectives


class _Listener(Listener):
    """Turns Tune's events into progress, counts what ends and logs it."""

    def __init__(self, progress: RunEvents, rules: _Rules, log: TrialLog) -> None:
        super().__init__(progress)
        self._rules, self._log = rules, log

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        scores = " ".join(f"{100 * value:.2f}" for value in self._rules.ended(trial.last_result))
        self._log.update()
        self._progress.ended(trial.trial_id, f"trial {trial.config[NUMBER]}: {scores}", "")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_error()
        # Tune wraps what the worker raised; the last line names it.
        text = str(error).strip().splitlines()[-1] if error else "its worker died"
        self._rules.ended({})
        self._log.failed(trial.config[NUMBER], text)
        self._progress.ended(trial.trial_id, f"trial {trial.config[NUMBER]}", text)
