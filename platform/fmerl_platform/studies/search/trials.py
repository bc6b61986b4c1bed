"""Runs trials on Ray Tune: Optuna proposes, ASHA stops the hopeless early, workers stay warm between trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.storages import RDBStorage
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from fmerl.config import CellConfig
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import build_model, deterministic, train_epochs
from fmerl_platform.running.nodes import given_device, nodes_of_cluster
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import RunEvents
from fmerl_platform.running.tuning import Listener, quiet_run
from fmerl_platform.studies.search.placement import place_trials
from fmerl_platform.studies.search.samplers import create_sampler
from fmerl_platform.studies.search.space import NUMBER, OBJECTIVE, SearchSpace
from fmerl_platform.studies.search.stopping import NoImprovement
from fmerl_platform.study.cells import CorpusInputs

_RETRIES = 1


def run_trials(
    inputs: CorpusInputs,
    space: SearchSpace,
    seeds: Sequence[int],
    trials: int,
    *,
    study: optuna.Study,
    storage: RDBStorage,
    resources: Resources,
    folder: Path,
    progress: RunEvents,
    random_seed: int,
    sampler: str,
    stop: NoImprovement,
) -> dict[int, str]:
    """Run this many more trials on the connected Ray cluster.

    Args:
        inputs: Inputs, of which workers get train and validation splits only.
        space: Fields and ranges to search.
        seeds: Each trial trains all of them, epoch by epoch.
        trials: Number of trials to add to the study.
        study: The search's study, repaired.
        storage: Storage of `study`.
        resources: Resources of each trial, as asked for.
        folder: Folder of Tune's own files.
        progress: Shows every trial that starts or ends.
        random_seed: Seed of the sampler.
        sampler: Name of the sampler.
        stop: Ends the search before all trials are run; it has counted those of `study`.

    Returns:
        Error of each failed trial, by number.
    """
    placement = place_trials(inputs, seeds, resources, nodes_of_cluster())
    epochs = inputs.control.training.epochs
    unseen = inputs.control.training
    data = inputs.data.subset("train", "validation").without_classes(unseen.unseen_classes, unseen.unseen_utterances)
    anchors = inputs.anchors[inputs.control.anchors]
    trainable = tune.with_parameters(_train_trial, control=inputs.control, data=data, anchors=anchors, seeds=seeds)
    searcher = OptunaSearch(
        space=space,
        metric=OBJECTIVE,
        mode="max",
        sampler=create_sampler(sampler, random_seed),
        study_name=study.study_name,
        storage=storage,
    )
    listener = _Listener(progress, stop)
    tune.Tuner(
        tune.with_resources(trainable, placement.by_name),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=_early_stopping(epochs),
            num_samples=trials,
            max_concurrent_trials=placement.at_once,
            reuse_actors=True,
        ),
        run_config=quiet_run(study.study_name, folder, _RETRIES, listener, _Stopper(stop)),
    ).fit()
    return listener.errors


def _early_stopping(epochs: int) -> ASHAScheduler | None:
    """ASHA (Li et al. 2020), whose last check lies before the last epoch: a trial that gets there is not stopped."""
    if epochs < 2:
        return None
    grace = max(1, epochs // 4)
    return ASHAScheduler(
        metric=OBJECTIVE,
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
    seeds: Sequence[int],
) -> None:
    cell = control.with_values({path: value for path, value in config.items() if path != NUMBER})
    for objective in objectives(cell, data, anchors, seeds, given_device()):
        tune.report({OBJECTIVE: objective})


def objectives(
    cell: CellConfig, data: ConversationData, anchors: Any, seeds: Sequence[int], device: torch.device
) -> Iterator[float]:
    """Train all seeds side by side, an epoch of each at a time, so that a bad trial can be stopped at any epoch.

    Args:
        cell: Configuration of the trial.
        data: Train and validation splits.
        anchors: Encoded descriptions in label order, [C, E].
        seeds: Seeds to train.
        device: Device to train on.

    Yields:
        The objective after each epoch.
    """
    with deterministic(cell.training.threads):
        models = [build_model(cell, data.subset("train"), anchors, seed).to(device) for seed in seeds]
        runs = [train_epochs(model, data, seed, device) for model, seed in zip(models, seeds, strict=True)]
        best = [0.0] * len(seeds)
        for epoch in zip(*runs, strict=True):
            scores = [metrics["validation_weighted_f1"] for metrics in epoch]
            best = scores if cell.training.selection == "last" else list(map(max, best, scores))
            yield sum(best) / len(best)


class _Stopper(tune.Stopper):
    """Ends all trials when the rule says so; it stops no single one."""

    def __init__(self, rule: NoImprovement) -> None:
        self._rule = rule

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._rule.reached


class _Listener(Listener):
    """Turns Tune's events into progress, counts what ends, and remembers errors."""

    def __init__(self, progress: RunEvents, stop: NoImprovement) -> None:
        super().__init__(progress)
        self._stop = stop
        self.errors: dict[int, str] = {}

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        score = trial.last_result.get(OBJECTIVE, float("nan"))
        self._stop.add(score)
        self._progress.ended(trial.trial_id, f"trial {trial.config[NUMBER]}: {100 * score:.2f}", "")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_error()
        # Tune wraps what the worker raised; the last line names it.
        self._stop.add(float("nan"))
        text = str(error).strip().splitlines()[-1] if error else "its worker died"
        self.errors[trial.config[NUMBER]] = text
        self._progress.ended(trial.trial_id, f"trial {trial.config[NUMBER]}", text)
