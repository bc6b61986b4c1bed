"""A search, small, whole: killed for real, resumed, compared on fresh seeds, its result taken by the grid."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from helpers.processes import start, succeed, wait_until
from optuna.storages import RDBStorage

from fmerl_platform.ledger.experiment import Experiment

TRIALS, EPOCHS = 10, 3
SMALL = ["--scale", "0.1", "--epochs", str(EPOCHS)]


def search(storage: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return start("search_loss_weights.py", log, "--storage", storage, *SMALL, *arguments)


def trials(storage: Path) -> list[optuna.trial.FrozenTrial]:
    path = storage / "search" / "search" / "optuna.db"
    if not _is_made(path):  # to ask for it would make it, while the search does
        return []
    try:
        study = optuna.load_study(study_name="search", storage=RDBStorage(f"sqlite:///{path}"))
        return study.trials
    except (KeyError, OSError, optuna.exceptions.StorageInternalError):
        return []


def _is_made(path: Path) -> bool:
    """Whether all tables of a search's database are there, without writing to it."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        try:
            return bool(database.execute("select count(*) from alembic_version").fetchone()[0])
        except sqlite3.OperationalError:
            return False


def logged(storage: Path) -> set[int]:
    """Trials whose runs in MLflow have ended, read beside the running search."""
    query = (
        "select number.value from runs join tags as number on number.run_uuid = runs.run_uuid "
        "and number.key = 'fmerl.trial' where status = 'FINISHED'"
    )
    if not (path := storage / "mlflow.db").exists():
        return set()
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        try:
            return {int(number) for (number,) in database.execute(query)}
        except sqlite3.OperationalError:  # tables are being made
            return set()


@pytest.mark.slow
def test_killed_and_resumed_search_loses_and_doubles_nothing(tmp_path: Path) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    arguments = ("--trials", str(TRIALS), "--evaluation-seeds", "5", "6", "7")
    driver = search(storage, log, *arguments)
    wait_until(lambda: len(logged(storage)) >= 3, driver, log)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    before = [trial for trial in trials(storage) if trial.state.is_finished()]

    succeed(search(storage, log, *arguments), log)
    after = trials(storage)
    for trial in before:
        assert after[trial.number].params == trial.params
        assert after[trial.number].value == trial.value
    retried = {trial.user_attrs["retry_of"] for trial in after if "retry_of" in trial.user_attrs}
    counted = [trial for trial in after if trial.value is not None]
    assert len(counted) == TRIALS
    assert retried.isdisjoint(trial.number for trial in counted)
    assert sum(trial.user_attrs.get("start") == "paper" for trial in counted) == 1

    home = storage / "search" / "search"
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "search", None)
    runs = experiment.find(level="trial")
    assert sorted(int(run.data.tags["fmerl.trial"]) for run in runs) == [trial.number for trial in counted]
    assert not any(name.startswith("test") for run in runs for name in run.data.metrics), "a trial saw test data"
    outcomes = {run.data.tags["fmerl.outcome"] for run in runs}
    assert "complete" in outcomes
    assert outcomes <= {"complete", "stopped early"}
    page = (home / "search.html").read_text()
    assert page.count("<svg") == 5
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "reaches" in page or "the paper's own weights" in page.replace("&#39;", "'")

    best = ("--config", str(home / "best.json"))
    succeed(start("ablation_grid.py", log, "--storage", storage, *SMALL, *best, "--dry-run"), log)


@pytest.mark.slow
def test_the_front_of_two_objectives_is_compared_on_fresh_seeds(tmp_path: Path) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    smallest = ["--corpus", "synthetic-meld", "--scale", "0.05", "--epochs", "2", "--evaluation-seeds", "5", "6"]
    arguments = [*smallest, "--objective", "weighted-f1", "unseen-accuracy", "--trials", "5"]
    succeed(start("search_loss_weights.py", log, "--storage", storage, *arguments), log)

    home = storage / "search" / "search"
    study = optuna.load_study(study_name="search", storage=RDBStorage(f"sqlite:///{home / 'optuna.db'}"))
    front = {trial.number for trial in study.best_trials}
    assert len([trial for trial in study.trials if trial.values]) == 5
    assert {path.name for path in home.glob("*.json")} == {f"trial-{number}.json" for number in front}
    assert logged(storage) == {trial.number for trial in study.trials}
    database = f"sqlite:///{storage / 'mlflow.db'}"
    runs = Experiment.open(database, "search", None).find(level="trial")
    assert {"objective", "unseen_accuracy"} == {name for run in runs for name in run.data.metrics}

    compared = {"paper weights", *(f"trial {trial.number}" for trial in study.best_trials if not _is_paper(trial))}
    for name in ("search-comparison", "search-comparison-unseen"):
        cells = Experiment.open(database, name, None).find(level="seed")
        assert {run.info.status for run in cells} == {"FINISHED"}
        assert {run.data.tags["fmerl.variant"] for run in cells} == compared
        assert len(cells) == 2 * len(compared)
    page = (home / "search.html").read_text()
    assert page.count("<svg") == 1
    assert "Pareto front" in page


def _is_paper(trial: optuna.trial.FrozenTrial) -> bool:
    return trial.user_attrs.get("start") == "paper"


@pytest.mark.slow
def test_wilcoxon_stops_trials_between_seeds(tmp_path: Path) -> None:
    storage, log = tmp_path / "runs", tmp_path / "log"
    arguments = ["--scale", "0.05", "--epochs", "2", "--pruning", "wilcoxon", "--search-seeds", *map(str, range(6))]
    arguments += ["--also", "learning_rate", "--trials", "8", "--evaluation-seeds", "7", "8"]
    succeed(start("search_loss_weights.py", log, "--storage", storage, *arguments), log)
    runs = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "search", None).find(level="trial")
    outcomes = {int(run.data.tags["fmerl.trial"]): run.data.tags["fmerl.outcome"] for run in runs}
    assert len(outcomes) == 8
    for trial in trials(storage):
        reported = len(trial.intermediate_values)  # of a trial that is stopped its last report is its value alone
        assert outcomes[trial.number] == ("complete" if reported == 6 else "stopped early")
        assert reported == 6 or reported >= 3
    assert "stopped early" in outcomes.values()


def test_seeds_of_the_search_cannot_judge_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert search(tmp_path, log, "--search-seeds", "3", "--evaluation-seeds", "3", "4").wait() == 2
    assert "--evaluation-seeds: [3] stand in --search-seeds too" in log.read_text()
