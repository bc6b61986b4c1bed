"""Is a sampler better than random search? Both at equal budget, on a synthetic corpus, repeated with other seeds.

Every repeat searches loss weights, learning rate, dropout and temperature once with each sampler: as many trials, of
one seed each, without early stopping. Compared, paired by repeat: the best validation objective, which each search
maximised, and test weighted F1 of the best configuration on a fresh seed, which is what a user gets.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import torch
from scipy import stats

from fmerl.training.cell import train_cell
from fmerl_platform.statistics import sign_flip_p_value
from fmerl_platform.studies.search.run import Search, SearchPlan, plan_search
from fmerl_platform.studies.search.samplers import create_sampler
from fmerl_platform.studies.search.trials import objectives
from fmerl_platform.study.options import InputOptions

FRESH = 1000
"""First seed of the final trainings; searches train on smaller ones."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samplers", nargs=2, default=["tpe", "random"], help="first against second (%(default)s)")
    parser.add_argument("--corpus", default="synthetic-iemocap", help="(default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=20, help="searches with each sampler (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=40, help="of each search (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=0.1, help="of the corpus (default: %(default)s)")
    parser.add_argument("--epochs", type=int, help="of each trial (default: the preset's)")
    arguments = parser.parse_args()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        options = InputOptions(scale=arguments.scale, epochs=arguments.epochs)
        also = ("learning_rate", "dropout", "temperature")
        plan = plan_search(Search(corpus=arguments.corpus, also=also, inputs=options), Path(folder))
    found = np.array(
        [
            [search(plan, name, repeat, arguments.trials) for name in arguments.samplers]
            for repeat in range(arguments.repeats)
        ]
    )
    first, second = arguments.samplers
    print(f"| {arguments.corpus}, {arguments.trials} trials | {first} | {second} | difference [95%] | p | verdict |")
    print("|---|---|---|---|---|---|")
    for column, name in enumerate(("best validation w-F1", "test w-F1 on a fresh seed")):
        print(f"| {name} | {row(100 * found[:, :, column])} |")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"\n{arguments.repeats} repeats; {time.perf_counter() - start:.0f} s on {machine}")


def search(plan: SearchPlan, sampler: str, repeat: int, trials: int) -> tuple[float, float]:
    """Best validation objective of one search, and test weighted F1 of its configuration on a fresh seed."""
    inputs = plan.inputs
    control, anchors = inputs.control, inputs.anchors[inputs.control.anchors]
    data = inputs.data.subset("train", "validation")

    def objective(trial: optuna.Trial) -> float:
        plan.space(trial)
        *_, last = objectives(control.with_values(trial.params), data, anchors, [repeat], torch.device("cpu"))
        return last

    study = optuna.create_study(direction="maximize", sampler=create_sampler(sampler, repeat))
    study.optimize(objective, n_trials=trials)
    best = train_cell(control.with_values(study.best_params), inputs.data, anchors, FRESH + repeat)
    return study.best_value, best.metrics["test_weighted_f1"]


def row(scores: np.ndarray) -> str:
    """Means, paired difference with its t interval, exact sign-flip p-value, verdict, for scores [repeats, 2]."""
    differences = scores[:, 0] - scores[:, 1]
    low, high = interval(differences)
    p_value = sign_flip_p_value(differences)
    verdict = "inconclusive" if not p_value < 0.05 else "better" if differences.mean() > 0 else "worse"
    means = " | ".join(f"{mean:.2f}" for mean in scores.mean(axis=0))
    return f"{means} | {differences.mean():+.2f} [{low:+.2f}, {high:+.2f}] | {p_value:.3f} | {verdict}"


def interval(differences: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """95% t interval of the mean; NaN for one repeat."""
    if len(differences) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    return float(np.mean(differences) - half), float(np.mean(differences) + half)


if __name__ == "__main__":
    main()
