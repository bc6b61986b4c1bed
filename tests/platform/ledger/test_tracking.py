"""MLflow runs: one tree per study, nothing doubled, half-done cells gone."""

from __future__ import annotations

import errno
import math
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from fmerl.config import CellConfig
from fmerl.errors import LostError
from fmerl_platform.ledger.cells import failure_reasons, follow_plan, mark_failed, read_cells, unfinished
from fmerl_platform.ledger.conditions import untested
from fmerl_platform.ledger.experiment import CellRun, Experiment
from fmerl_platform.ledger.publish import RunSummary, RunView, publish
from fmerl_platform.ledger.runs import StudyRuns
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.ledger.store import call_patiently
from fmerl_platform.study.cells import Cell, CellFailure


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


def test_cells_whose_worker_died_are_marked_at_once(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [_cell(f"f{seed}", seed=seed) for seed in range(4)]
    for cell in cells[:3]:
        _begin(experiment, cell)
    searches: list[str] = []
    search = Experiment._search

    def counted(self: Experiment, experiments: list[str], text: str) -> list[Run]:
        searches.append(text)
        return search(self, experiments, text)

    monkeypatch.setattr(Experiment, "_search", counted)
    mark_failed(experiment, [CellFailure(cell=cell, error="its worker died") for cell in (*cells[:2], cells[3])])
    assert len(searches) == 1, "one search, however many cells failed"
    assert failure_reasons(experiment) == {"f0": "its worker died", "f1": "its worker died"}
    assert [run.info.run_id for run in experiment.find(status="RUNNING", level="seed")] == [
        run.info.run_id for run in experiment.runs_of("f2")
    ]


def test_a_cells_runs_are_found_by_an_index(experiment: Experiment) -> None:
    for seed in range(3):
        _begin(experiment, _cell(f"f{seed}", seed=seed))
    for fingerprint in ("f0", "f2"):
        [run] = experiment.runs_of(fingerprint)
        assert [run.info.run_id] == [each.info.run_id for each in experiment.find(fingerprint=fingerprint)]
    assert experiment.runs_of("f3") == []
    # SQLite looks the tag's name up, and goes through no other tag.
    path = experiment.uri.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        plan = database.execute(
            "explain query plan select run_uuid from tags where key = ? and value = 'true'", [f"{Tag.CELL}f0"]
        ).fetchall()
    assert all("SEARCH tags USING INDEX" in step[-1] and "key=?" in step[-1] for step in plan)


def test_runs_that_are_not_the_studys_are_not_found(experiment: Experiment) -> None:
    run = _begin(experiment, _cell())
    own = {"fmerl.level": "seed", "fmerl.fingerprint": "f0"}
    experiment.client().create_run(experiment.experiment_id, tags={**own, "fmerl.study": "another"})
    experiment.client().create_run(experiment.experiment_id, tags=own)
    assert [each.info.run_id for each in experiment.find(level="seed")] == [run.run_id]


def test_runs_that_were_just_read_are_not_read_again(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        _begin(experiment, _cell(f"f{seed}", seed=seed)).finish({}, 1, [])
    cells = [replace(_cell(f"f{seed}", seed=seed), variant="renamed") for seed in range(3)]
    parent = experiment.find_or_create("c · renamed", None, level="variant", corpus="c", variant="renamed")
    seeds = experiment.find(level="seed")
    follow_plan(experiment, cells, {("c", "renamed"): parent}, seeds)
    again = experiment.find(level="seed")
    own, of_again = (
        [{tag: value for tag, value in run.data.tags.items() if tag != "mlflow.runName"} for run in runs]
        for runs in (seeds, again)
    )
    assert own == of_again, "they follow the plan"

    monkeypatch.setattr(Experiment, "_search", lambda *_: pytest.fail("read again"))
    assert unfinished(experiment, cells, seeds) == []
    assert untested(experiment, cells, seeds) == ([], [])


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


def test_a_report_reads_no_values_of_other_runs(tmp_path: Path) -> None:
    """In a database of its own: what else is in one sways SQLite's choice of an index."""
    database = tmp_path / "mlflow.db"
    experiment = Experiment.open(f"sqlite:///{database}", "curves", tmp_path / "artifacts")
    for seed in range(30):
        run = _begin(experiment, _cell(f"f{seed}", seed))
        for epoch in range(1, 13):
            run.log_epoch(epoch, {"train_loss": float(epoch)})
        run.finish({}, 12, [])
    ask = "explain query plan select * from metrics where run_uuid = '' and key = 'train_loss'"

    def plan() -> str:
        with closing(sqlite3.connect(database)) as connection:
            return str(connection.execute(ask).fetchall())

    assert "(key=?)" in plan()  # MLflow alone: all runs' values of the metric
    read_cells(experiment, [])
    assert "run_uuid=?" in plan()


def test_a_full_disk_is_told_while_an_artifact_is_copied(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "rows.txt").write_text("rows")
    run = _begin(experiment, _cell())
    experiment.client().log_artifact(run.run_id, str(tmp_path / "rows.txt"))

    def full(source: str, target: str, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    where = experiment.client().get_run(run.run_id).info.artifact_uri
    copy = partial(download_artifacts, f"{where}/rows.txt", dst_path=str(tmp_path / "copy"))
    with pytest.raises(LostError, match=r"copy/rows\.txt: no space is left on its disk"):
        call_patiently(experiment.uri, copy, tracking_uri=experiment.uri)
