"""The report of a search with two objectives, and its trials in MLflow as they end."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from fmerl.errors import InputError
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.studies.search.comparison import Evaluation
from fmerl_platform.studies.search.figures import front_figure, full_length
from fmerl_platform.studies.search.plan import Search, SearchPlan
from fmerl_platform.studies.search.record import TrialLog
from fmerl_platform.studies.search.run import best_trials, to_compare, write_configs
from fmerl_platform.studies.search.sections import SearchFindings, search_report
from fmerl_platform.studies.search.trial_store import ended, repair

VALUES = {0: (0.40, 0.10), 1: (0.50, 0.05), 2: (0.30, 0.30), 3: (0.39, 0.09), 4: (0.29, 0.30)}
"""Objectives by trial; trial 5 fails."""


@pytest.fixture
def study(plan: SearchPlan) -> optuna.Study:
    """Five trials and one that failed."""
    study = optuna.create_study(study_name="two", directions=["maximize"] * 2)
    repair(study, {"paper": plan.space.values_of(plan.paper)})
    for number in range(6):
        trial = study.ask()
        plan.space(trial)
        if number in VALUES:
            study.tell(trial, VALUES[number])
        else:
            study.tell(trial, state=TrialState.FAIL)
    return study


def test_the_front_is_shown_and_nothing_is_picked_from_it(
    plan: SearchPlan, study: optuna.Study, tmp_path: Path
) -> None:
    trials = ended(study, plan.steps)
    assert [how for _, how in trials] == ["complete"] * 5 + ["failed"]
    complete = [trial for trial, how in trials if how == "complete"]
    best = best_trials(study, complete)
    assert [trial.number for trial in best] == [1, 0, 2]
    assert list(to_compare(plan, best)) == ["trial 1", "trial 2"], "trial 0 is the paper's weights"

    (tmp_path / "trial-9.json").touch()
    paths = write_configs(plan, best, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert [path.name for path in paths] == ["trial-1.json", "trial-0.json", "trial-2.json"]

    names = [each.text for each in plan.objectives]
    found = SearchFindings(
        study="two",
        corpus="c",
        objectives=plan.objectives,
        pruning="none",
        trials=trials,
        best=best,
        importance={},
        errors={5: "it broke"},
        evaluations=[Evaluation(finding=f"Finding {n}.", warning="", tables=()) for n in (1, 2)],
        figures=[front_figure(full_length(complete, 2), names)],
        provenance={},
    )
    paths_of_report = search_report(found).save(tmp_path)
    (section,) = search_report(found).sections
    front = section.tables[0]
    assert [(row[0], row[1], row[2], row[3]) for row in front.rows] == [
        ("1", "50.00", "5.00", "yes"),
        ("0 (paper)", "40.00", "10.00", "yes"),
        ("2", "30.00", "30.00", "yes"),
    ]
    assert [row[0] for row in section.details[0].rows] == ["1", "0", "3", "2", "4", "5"]
    assert section.details[0].rows[-1][-1] == "it broke"
    assert section.finding.endswith("Finding 1. Finding 2.")
    assert f"The Pareto front of weighted F1 and {names[1]} has 3 of them" in section.finding
    assert paths_of_report.html.read_text().count("<svg") == 1


def test_trials_are_in_mlflow_as_they_end_and_once(plan: SearchPlan, tracking_uri: str, study: optuna.Study) -> None:
    experiment = Experiment.open(tracking_uri, "two objectives", None)
    client = experiment.client()

    def log() -> TrialLog:
        return TrialLog(experiment, study, plan.steps, ["objective", "unseen_accuracy"])

    first = log()
    half = experiment.create("trial 0", first.run, None, {"level": "trial", "trial": "0"})
    again = log()
    again.failed(5, "it broke")
    again.update()
    log().update()
    runs = {run.data.tags["fmerl.trial"]: run for run in experiment.find(level="trial")}
    assert len(experiment.find(level="trial")) == len(runs) == 6
    assert half not in {run.info.run_id for run in runs.values()}
    assert runs["1"].data.metrics == {"objective": 0.50, "unseen_accuracy": 0.05}
    assert runs["1"].data.params.keys() == plan.space.ranges.keys()
    assert runs["5"].info.status == "FAILED"
    assert runs["5"].data.tags["fmerl.error"] == "it broke"
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {first.run}
    assert client.get_run(first.run).info.status == "RUNNING"


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"objectives": ()}, "--objective: none is named"),
        ({"objectives": ("weighted-f1", "weighted-f1")}, "--objective: none is named, or one twice"),
        ({"unseen": ("fear",)}, "--unseen: no objective asks for unseen classes"),
        ({"objectives": ("weighted-f1", "unseen-accuracy"), "sampler": "cmaes"}, "--sampler cmaes: it knows one"),
        ({"objectives": ("weighted-f1", "unseen-accuracy"), "pruning": "wilcoxon"}, "--pruning wilcoxon: it knows one"),
    ],
)
def test_objectives_that_cannot_be_had_are_refused(asked: dict[str, object], refused: str) -> None:
    with pytest.raises(InputError, match=refused):
        Search(**asked)  # type: ignore[arg-type]
