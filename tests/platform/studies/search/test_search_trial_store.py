"""A search's memory: what a killed driver leaves is tried again once, and nothing is lost or doubled."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
import pytest
from optuna.trial import TrialState

from fmerl_platform.studies.search.figures import full_length, importances
from fmerl_platform.studies.search.trial_store import ended, open_study, repair, start_name

STARTS = {"paper": {"x": 0.5}}


def suggest(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    return trial


def finish(study: optuna.Study, trial: optuna.Trial, value: float, steps: int) -> None:
    for step in range(1, steps + 1):
        trial.report(value, step)
    study.tell(trial, value)


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return open_study(tmp_path / "search" / "optuna.db", "s")[0]


def test_who_opens_a_study_while_it_is_made_waits(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def opened(_: int) -> str:
        together.wait()
        return open_study(tmp_path / "optuna.db", "s")[0].study_name

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(opened, range(4))) == ["s"] * 4


def test_trials_of_one_objective_say_nothing_of_importance(study: optuna.Study) -> None:
    for _ in range(5):
        finish(study, suggest(study), 0.5, 4)
    assert importances(full_length(study.trials)) == {}
    finish(study, suggest(study), 0.6, 4)
    assert set(importances(full_length(study.trials))) == {"x"}


def test_starting_points_are_enqueued_once(study: optuna.Study) -> None:
    for _ in range(3):
        repair(study, STARTS)
    trial = suggest(study)
    assert trial.params == {"x": 0.5}
    finish(study, trial, 0.7, 4)
    repair(study, STARTS)
    assert len(study.trials) == 1
    assert start_name(study.trials[0]) == "paper"


def test_a_killed_trial_is_tried_again_once_and_counts_for_nothing(study: optuna.Study) -> None:
    repair(study, STARTS)
    killed = suggest(study)
    for _ in range(2):
        repair(study, STARTS)
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.FAIL, TrialState.WAITING]
    assert ended(study, 4) == []
    again = suggest(study)
    assert again.params == killed.params
    finish(study, again, 0.6, 4)
    assert [(trial.number, how) for trial, how in ended(study, 4)] == [(1, "complete")]
    assert start_name(study.trials[1]) == "paper"


def test_killed_before_a_value_was_drawn_brings_the_start_back(study: optuna.Study) -> None:
    repair(study, STARTS)
    study.ask()
    repair(study, STARTS)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert suggest(study).params == {"x": 0.5}


def test_killed_between_enqueueing_and_ending_enqueues_no_second_copy(study: optuna.Study) -> None:
    trial = suggest(study)
    study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
    repair(study, {})
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_stopped_failed_and_complete_are_told_apart(study: optuna.Study) -> None:
    finish(study, suggest(study), 0.5, 4)
    finish(study, suggest(study), 0.2, 2)
    broken = suggest(study)
    study.tell(broken, state=TrialState.FAIL)
    assert [how for _, how in ended(study, 4)] == ["complete", "stopped early", "failed"]


def test_of_several_objectives_a_trial_without_values_was_stopped(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path / "two.db", "s", 2)
    study.tell(suggest(study), [0.5, 0.1])
    study.tell(suggest(study), state=TrialState.PRUNED)
    assert [how for _, how in ended(study, 0)] == ["complete", "stopped early"]


def test_the_dashboard_opens_the_file(tmp_path: Path) -> None:
    study, _ = open_study(tmp_path / "optuna.db", "s")
    finish(study, suggest(study), 0.5, 4)
    application = optuna_dashboard.wsgi(f"sqlite:///{tmp_path / 'optuna.db'}")
    request = {"PATH_INFO": "/api/studies/1", "QUERY_STRING": "after=0"}
    setup_testing_defaults(request)
    statuses: list[str] = []
    answer = json.loads(b"".join(application(request, lambda status, *_: statuses.append(status))))
    assert statuses == ["200 OK"]
    assert [trial["state"] for trial in answer["trials"]] == ["Complete"]
