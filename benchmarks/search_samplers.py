"""Is a sampler better than random search? Both at equal budget, on a synthetic corpus, repeated with other seeds.

Every repeat searches loss weights, learning rate, dropout and temperature once with each sampler: as many trials, of
one seed each, without early stopping. Compared, paired by repeat: the best validation objective, which each search
maximised, and test weighted F1 of the best configuration on a fresh seed, which is what a user gets. Each search is
kept as it ends: the same command goes on after an interruption, and more --repeats add to those that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import optuna
import torch
from scipy import stats

from fmerl.files import replaced_file
from fmerl.training.cell import train_cell
from fmerl_platform.statistics import sign_flip_p_value
from fmerl_platform.studies.search.objectives import trial_scores
from fmerl_platform.studies.search.plan import Search, SearchPlan, plan_search
from fmerl_platform.studies.search.samplers import create_sampler
from fmerl_platform.study.fingerprint import fingerprint
from fmerl_platform.study.options import InputOptions

FRESH = 1000
"""First seed of the final trainings; searches train on smaller ones."""


KEPT = Path("runs/search_samplers.jsonl")
"""Searches that have ended, one a line."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samplers", nargs=2, default=["tpe", "random"], help="first against second (%(default)s)")
    parser.add_argument("--corpus", default="synthetic-iemocap", help="(default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=20, help="searches with each sampler (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=40, help="of each search (default: %(default)s)")
    parser.add_argument("--scale", type=float, default=0.1, help="of the corpus (default: %(default)s)")
    parser.add_argument("--epochs", type=int, help="of each trial (default: the preset's)")
    parser.add_argument("--kept", type=Path, default=KEPT, help="file of ended searches, to resume (%(default)s)")
    arguments = parser.parse_args()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        options = InputOptions(scale=arguments.scale, epochs=arguments.epochs)
        also = ("learning_rate", "dropout", "temperature")
        plan = plan_search(Search(corpus=arguments.corpus, also=also, inputs=options), Path(folder))
    first, second = arguments.samplers
    scores, seconds = [], 0.0
    for repeat in range(arguments.repeats):
        pair = [kept_search(arguments.kept, plan, name, repeat, arguments.trials) for name in arguments.samplers]
        scores.append([each.scores for each in pair])
        seconds += sum(each.seconds for each in pair)
        print(f"repeat {repeat}: " + "; ".join(map(str, pair)), file=sys.stderr, flush=True)
    found = np.array(scores)
    print(f"| {arguments.corpus}, {arguments.trials} trials | {first} | {second} | difference [95%] | p | verdict |")
    print("|---|---|---|---|---|---|")
    for column, name in enumerate(("best validation w-F1", "test w-F1 on a fresh seed")):
        print(f"| {name} | {row(100 * found[:, :, column])} |")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"\n{arguments.repeats} repeats; {seconds:.0f} s on {machine}")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A search that has ended."""

    sampler: str
    validation: float
    """Best validation objective."""
    test: float
    """Test weighted F1 of its configuration on a fresh seed."""
    seconds: float

    @property
    def scores(self) -> tuple[float, float]:
        return self.validation, self.test

    def __str__(self) -> str:
        shown = f"validation {100 * self.validation:.2f}, test {100 * self.test:.2f}, {self.seconds:.0f} s"
        return f"{self.sampler} {shown}"


def kept_search(file: Path, plan: SearchPlan, sampler: str, repeat: int, trials: int) -> Ended:
    """A search that `file` knows, or else one that is run now and added to it.

    A search is known by its configuration, data, code, ranges, sampler, repeat and number of trials.
    """
    inputs = plan.inputs
    cell = fingerprint(inputs.control, inputs.data, inputs.anchors[inputs.control.anchors], repeat)
    asked = {"cell": cell, "ranges": sorted(plan.space.ranges), "sampler": sampler, "repeat": repeat, "trials": trials}
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for known in map(json.loads, lines):
        if known["asked"] == asked:
            return Ended(**known["ended"])
    start = time.perf_counter()
    validation, test = search(plan, sampler, repeat, trials)
    ended = Ended(sampler=sampler, validation=validation, test=test, seconds=time.perf_counter() - start)
    lines.append(json.dumps({"asked": asked, "ended": asdict(ended)}))
    file.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(file) as output:
        output.write("".join(f"{line}\n" for line in lines).encode())
    return ended


def search(plan: SearchPlan, sampler: str, repeat: int, trials: int) -> tuple[float, float]:
    """Best validation objective of one search, and test weighted F1 of its configuration on a fresh seed."""
    inputs = plan.inputs
    control, anchors = inputs.control, inputs.anchors[inputs.control.anchors]
    data = inputs.data.subset("train", "validation")
    (weighted_f1,) = plan.objectives

    def objective(trial: optuna.Trial) -> float:
        plan.space(trial)
        cell = control.with_values(trial.params)
        *_, last = trial_scores([weighted_f1], cell, data, anchors, [repeat], torch.device("cpu"))
        return last[weighted_f1.metric]

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
