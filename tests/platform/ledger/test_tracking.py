"""MLflow runs: one tree per study, nothing doubled, half-done cells gone."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from fmerl.config import CellConfig
from fmerl_platform.ledger.cells import unfinished
from fmerl_platform.ledger.experiment import CellRun, Experiment
from fmerl_platform.ledger.publish import RunSummary, RunView, publish
from fmerl_platform.ledger.runs import StudyRuns
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.study.cells import Cell


@pytest.fixture
def experiment(tracking_uri: str, tmp_path: Path, request: pytest.FixtureRequest) -> Experiment:
    return Experiment.open(tracking_uri, request.node.name, tmp_path / "artifacts")


def _cell(fingerprint: str = "f0", seed: int = 0) -> Cell:
    return Cell(corpus="c", variant="w/o Valence", seed=seed, config=CellConfig(), fingerprint=fingerprint)


def _begin(experiment: Experiment, cell: Cell) -> CellRun:
    study = experiment.find_or_create("study", None, level="study")
    parent = experiment.find_or_create("c · w/o Valence", study, level="variant", corpus="c", variant="w/o Valence")
    run = experiment.begin_cell(cell, parent)
    assert run is not None
    return run


def test_opening_twice_finds_the_same_runs(experiment: Experiment, tmp_path: Path) -> None:
    again = Experiment.open(experiment.uri, experiment.study, tmp_path / "artifacts")
    assert again == experiment
    first = experiment.find_or_create("a", None, level="variant", corpus="c", variant="v")
    assert again.find_or_create("a", None, level="variant", corpus="c", variant="v") == first
    assert again.find_or_create("b", None, level="variant", corpus="c", variant="w") != first


def test_a_seed_run_carries_the_contracts_tags_and_params(experiment: Experiment) -> None:
    run = experiment.client().get_run(_begin(experiment, _cell()).run_id)
    parent = experiment.find(level="variant")[0]
    own = {key: value for key, value in run.data.tags.items() if key.startswith("fmerl.")}
    assert own == {
        "fmerl.study": experiment.study,
        "fmerl.corpus": "c",
        "fmerl.variant": "w/o Valence",
        "fmerl.seed": "0",
        "fmerl.fingerprint": "f0",
        "fmerl.level": "seed",
    }
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.data.params["regression.dimensions"] == "['valence', 'arousal', 'dominance']"
    assert set(run.data.params) == set(CellConfig().flatten())


def test_what_a_summary_no_longer_says_is_taken_back(experiment: Experiment) -> None:
    study = experiment.find_or_create("study", None, level="study")
    variant = experiment.find_or_create("c · v", study, level="variant", corpus="c", variant="v")
    runs = StudyRuns(study=study, variants={("c", "v"): variant})
    view = RunView(columns=(), order="")

    def said(warning: str, **metrics: float) -> tuple[dict[str, float], list[str | None]]:
        summary = RunSummary(corpus="c", variant="v", metrics=metrics, tags={}, note="", warning=warning)
        publish(experiment, runs, [summary], "note", warning, view)
        found = [experiment.client().get_run(run_id).data for run_id in (variant, study)]
        return found[0].metrics, [each.tags.get(Tag.WARNING) for each in found]

    assert said("predicts joy alone", n_seeds=1.0, p_value_equivalent_holm=0.03)[1] == ["predicts joy alone"] * 2
    metrics, warnings = said("", n_seeds=2.0)
    assert warnings == [None, None]
    assert metrics["n_seeds"] == 2
    assert math.isnan(metrics["p_value_equivalent_holm"])


def test_epochs_and_results_are_logged_once(experiment: Experiment, tmp_path: Path) -> None:
    artifact = tmp_path / "predictions.parquet"
    artifact.write_bytes(b"rows")
    run = _begin(experiment, _cell())
    for epoch in range(1, 1200):
        run.log_epoch(epoch, {"train_loss": 1 / epoch})
    run.finish({"test_accuracy": 0.5}, 1199, [artifact])
    client = experiment.client()
    assert len(client.get_metric_history(run.run_id, "train_loss")) == 1199
    assert [metric.value for metric in client.get_metric_history(run.run_id, "test_accuracy")] == [0.5]
    assert client.get_run(run.run_id).info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(run.run_id)] == ["predictions.parquet"]


def test_a_finished_cell_is_not_begun_again(experiment: Experiment) -> None:
    run = _begin(experiment, _cell())
    run.finish({}, 1, [])
    assert experiment.begin_cell(_cell(), "parent") is None
    assert unfinished(experiment, [_cell(), _cell("f1", seed=1)]) == [_cell("f1", seed=1)]


def test_a_half_done_cell_starts_afresh_and_its_old_worker_is_fenced_off(experiment: Experiment) -> None:
    orphan = _begin(experiment, _cell())
    orphan.log_epoch(1, {"train_loss": 1.0})
    assert unfinished(experiment, [_cell()]) == [_cell()]
    assert experiment.find(level="seed") == []
    with pytest.raises(MlflowException, match="active"):
        orphan.finish({"test_accuracy": 0.1}, 1, [])
    fresh = _begin(experiment, _cell())
    fresh.finish({"test_accuracy": 0.2}, 1, [])
    assert [run.data.metrics["test_accuracy"] for run in experiment.find(level="seed")] == [0.2]


def test_a_failed_cell_says_why_and_is_tried_again(experiment: Experiment) -> None:
    run = _begin(experiment, _cell())
    run.fail(FloatingPointError("loss is nan"))
    [failed] = experiment.find(level="seed")
    assert failed.info.status == "FAILED"
    assert failed.data.tags["fmerl.error"] == "FloatingPointError: loss is nan"
    assert unfinished(experiment, [_cell()]) == [_cell()]


def test_runs_of_an_older_code_are_marked(experiment: Experiment) -> None:
    _begin(experiment, _cell("old")).finish({}, 1, [])
    _begin(experiment, _cell("other seed", seed=7)).finish({}, 1, [])
    assert unfinished(experiment, [_cell("new")]) == [_cell("new")]
    marked = {
        run.data.tags["fmerl.fingerprint"]: "fmerl.superseded" in run.data.tags for run in experiment.find(level="seed")
    }
    assert marked == {"old": True, "other seed": False}
    assert unfinished(experiment, [_cell("old")]) == []
    [again] = experiment.find(level="seed", fingerprint="old")
    assert "fmerl.superseded" not in again.data.tags, "what is planned again stands again"


def test_aggregates_are_logged_only_when_they_change(experiment: Experiment) -> None:
    run_id = experiment.find_or_create("v", None, level="variant", corpus="c", variant="v")
    for values in (
        {"n_seeds": 5.0, "p_value": 0.2},
        {"n_seeds": 5.0, "p_value": 0.2},
        {"n_seeds": 6.0, "p_value": 0.2},
    ):
        experiment.log_once(run_id, values, step=int(values["n_seeds"]))
    history = experiment.client().get_metric_history
    assert [metric.value for metric in history(run_id, "n_seeds")] == [5.0, 6.0]
    assert [metric.value for metric in history(run_id, "p_value")] == [0.2]
