"""The whole way, small: synthetic corpora -> Ray Tune -> MLflow -> statistics -> report; and again."""

from __future__ import annotations

import runpy
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers.repository import EXPERIMENTS
from mlflow.entities import Run

from fmerl.errors import InputError
from fmerl_platform.cli.grid import plan_and_run
from fmerl_platform.cli.options import StudyOptions
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.kept_bundles import read_kept
from fmerl_platform.ledger.runs import read_study
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.options import KeepOptions
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.reproduce import reproduce
from fmerl_platform.studies.results import open_study
from fmerl_platform.studies.run import run_study
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study
from fmerl_platform.study.variant import by_name

NAMES = ("FMERL", "w/o Valence", "w/o Multitask Regression")


STUDY = Study(
    "small",
    corpora=("synthetic-iemocap", "synthetic-meld"),
    variants=tuple(by_name(PAPER)[name] for name in NAMES),
    seeds=(0, 1),
    inputs=InputOptions(scale=0.04, epochs=2),
)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def printed(storage: Path, local_ray: None, tracking_uri: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
        code, text = _command(STUDY, storage)
    assert code == 0
    return text


def _command(study: Study, storage: Path, *, dry_run: bool = False) -> tuple[int, str]:
    """Exit code and standard output of a study's command."""
    options = StudyOptions(storage=storage, keep=KeepOptions(keep_weights=True), dry_run=dry_run)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as shown:
        patch.setenv("COLUMNS", "200")
        code = plan_and_run(study, Ablation(), options)
    return code, shown.getvalue()


@pytest.fixture
def experiment(tracking_uri: str, printed: str) -> Experiment:
    return Experiment.open(tracking_uri, STUDY.name, None)


def _seed_runs(experiment: Experiment) -> dict[str, Run]:
    return {run.info.run_id: run for run in experiment.find(level="seed")}


def test_the_tree_of_runs_and_their_metrics(experiment: Experiment) -> None:
    [study] = experiment.find(level="study")
    variants = {run.info.run_id: run for run in experiment.find(level="variant")}
    seeds = _seed_runs(experiment)
    assert len(variants) == 6
    assert len(seeds) == 12
    assert all(run.info.status == "FINISHED" for run in (study, *variants.values(), *seeds.values()))
    assert {run.data.tags["mlflow.parentRunId"] for run in variants.values()} == {study.info.run_id}
    assert {run.data.tags["mlflow.parentRunId"] for run in seeds.values()} == set(variants)
    for run in variants.values():
        control = run.data.tags["fmerl.variant"] == "FMERL"
        own = {"test_weighted_f1_mean", "test_weighted_f1_sd", "test_weighted_f1_ci_low", "test_weighted_f1_ci_high"}
        against = {"delta_weighted_f1", "delta_ci_low", "delta_ci_high", "p_value", "p_value_holm"}
        assert {*own, "n_seeds"} <= set(run.data.metrics)
        assert control or against <= set(run.data.metrics)
        assert (run.data.tags["fmerl.verdict"] == "control") == control
        assert run.data.metrics["n_seeds"] == 2


def test_a_seed_run_holds_epochs_finals_and_predictions(experiment: Experiment, tmp_path: Path) -> None:
    client = experiment.client()
    per_epoch = (
        "train_loss",
        "train_mse_loss",
        "train_contrastive_loss",
        "train_negative_loss",
        "validation_weighted_f1",
        "validation_accuracy",
    )
    final = (
        "test_weighted_f1",
        "test_accuracy",
        "test_macro_f1",
        "test_oracle_weighted_f1",
        "selected_epoch",
        "train_seconds",
        "parameters",
    )
    for run_id, run in _seed_runs(experiment).items():
        for name in per_epoch:
            assert [metric.step for metric in client.get_metric_history(run_id, name)] == [1, 2]
        for name in final:
            assert len(client.get_metric_history(run_id, name)) == 1
        assert run.data.metrics["test_oracle_weighted_f1"] >= run.data.metrics["test_weighted_f1"]
    table = pq.read_table(client.download_artifacts(run_id, "predictions.parquet", str(tmp_path)))
    assert set(table["split"].to_pylist()) == {"validation", "test"}
    table = pq.read_table(client.download_artifacts(run_id, "conditions.parquet", str(tmp_path)))
    masked = {f"{modality} masked" for modality in ("text", "audio", "visual")}
    assert set(table["condition"].to_pylist()) == {"first epoch", *masked}


def test_the_report_and_what_is_printed(storage: Path, printed: str, experiment: Experiment) -> None:
    folder = storage / "reports" / STUDY.name
    for name in ("report.html", "table.md", "table.tex"):
        assert "Valence" in (folder / name).read_text(encoding="utf-8")
    assert all(name in printed for name in NAMES)
    assert "mlflow ui" in printed
    [study] = experiment.find(level="study")
    assert "report/report.html" in {
        file.path for file in experiment.client().list_artifacts(study.info.run_id, "report")
    }


def test_the_report_is_made_again_from_mlflow_alone(
    storage: Path, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", experiment.uri)
    again = open_study(STUDY.name, tmp_path).publish(tmp_path).paths
    first = storage / "reports" / STUDY.name
    for path in (again.html, again.rows, again.latex, again.markdown):
        assert path is not None
        assert path.read_bytes() == (first / path.name).read_bytes()


def test_the_study_says_what_it_was_made_of(experiment: Experiment) -> None:
    record, runs = read_study(experiment)
    assert [corpus.corpus for corpus in record.corpora] == list(STUDY.corpora)
    assert {cell.fingerprint for corpus in record.corpora for cell in corpus.cells} == {
        run.data.tags["fmerl.fingerprint"] for run in _seed_runs(experiment).values()
    }
    tags = experiment.client().get_run(runs.study).data.tags
    assert {"command", "seeds", "code_digest", "git_commit", "packages", "processor", "host", "data"} <= {
        name.removeprefix("fmerl.") for name in tags
    }
    assert all(digest in tags["fmerl.data"] for corpus in record.corpora for digest in corpus.digests.values())
    assert experiment.read_text(runs.study, "source.diff") is not None
    [run] = experiment.find(level="variant", corpus="synthetic-meld", variant="w/o Valence")
    assert "regression.dimensions" in run.data.tags["fmerl.changes"]
    assert run.data.tags["fmerl.verdict"] in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize("by", ["fingerprint", "name"])
def test_a_cell_trained_again_gives_the_same_bits(storage: Path, experiment: Experiment, by: str) -> None:
    record = read_study(experiment)[0]
    cell = record.corpora[1].cells[-1]
    name = cell.fingerprint[:10] if by == "fingerprint" else f"synthetic-meld/{cell.variant}/{cell.seed}"
    again = reproduce(experiment, record, name, storage)
    assert (again.cell.variant, again.cell.seed) == (cell.variant, cell.seed)
    assert again.differs == ()
    assert again.identical
    assert again.within_tolerance


def test_a_cell_is_compared_with_what_it_left(storage: Path, experiment: Experiment) -> None:
    record = read_study(experiment)[0]
    corpus = record.corpora[1]
    other = replace(corpus, control={**corpus.control, "training.learning_rate": 0.02})
    again = reproduce(experiment, replace(record, corpora=(other,)), "synthetic-meld/FMERL/0", storage)
    assert again.changed_predictions
    assert again.differs
    moved = replace(corpus, digests={**corpus.digests, "corpus": "0" * 64})
    with pytest.raises(InputError, match="not what the study read"):
        reproduce(experiment, replace(record, corpora=(moved,)), "synthetic-meld/FMERL/0", storage)
    with pytest.raises(InputError, match="no such cell"):
        reproduce(experiment, record, "synthetic-meld/FMERL/99", storage)


REPORT = EXPERIMENTS / "report.py"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--corpus", "synthetic-meld"], 0, "report.html"),
        (["--reproduce", "synthetic-iemocap/w/o Valence/1"], 0, "reproduced (same code"),
        (["--reproduce", "nothing"], 2, "synthetic-iemocap/FMERL/0"),
        (["--corpus", "synthetic-meld", "elsewhere"], 2, "name one of synthetic-iemocap, synthetic-meld"),
        (["--study", "another"], 2, "no study 'another'"),
    ],
)
def test_the_report_script(
    arguments: list[str],
    code: int,
    said: str,
    storage: Path,
    experiment: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", experiment.uri)
    where = ["--study", STUDY.name, "--storage", str(storage), "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [str(REPORT), *where, *arguments])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(REPORT), run_name="__main__")
    printed = capfd.readouterr()
    assert left.value.code == code, printed.err
    assert said in (printed.err if code else " ".join(printed.out.split()))
    assert not code or printed.err.count("\n") == 1


def test_models_are_kept_where_asked(experiment: Experiment) -> None:
    for run_id, run in _seed_runs(experiment).items():
        kept = read_kept(experiment.client(), run_id)
        assert kept is not None
        assert [member.fingerprint for member in kept.manifest.members] == [run.data.tags["fmerl.fingerprint"]]


def test_a_rerun_trains_nothing_and_more_seeds_train_only_themselves(
    storage: Path, experiment: Experiment, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    before = _seed_runs(experiment)
    assert _command(STUDY, storage)[0] == 0
    assert set(_seed_runs(experiment)) == set(before)
    [variant] = experiment.find(level="variant", corpus="synthetic-meld", variant="w/o Valence")
    history = experiment.client().get_metric_history(variant.info.run_id, "delta_weighted_f1")
    assert len(history) == 1
    assert _command(replace(STUDY, corpora=("synthetic-meld",), seeds=(0, 1, 2)), storage)[0] == 0
    assert len(_seed_runs(experiment)) == len(before) + 3
    assert set(before) < set(_seed_runs(experiment))


def test_a_cell_that_diverges_fails_alone(
    storage: Path, local_ray: None, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    explode = replace(
        by_name(PAPER)["w/o Valence"],
        change=lambda config: config.changed(training__learning_rate=1e30),
        declares=("training.learning_rate",),
    )
    study = replace(STUDY, name="diverging", corpora=("synthetic-meld",), variants=(PAPER[0], explode))
    code, text = _command(study, storage)
    assert code == 1
    experiment = Experiment.open(tracking_uri, "diverging", None)
    status = {(run.data.tags["fmerl.variant"], run.info.status) for run in experiment.find(level="seed")}
    assert status == {("FMERL", "FINISHED"), ("w/o Valence", "FAILED")}
    assert "learning_rate" in text


def test_a_dry_run_shows_the_cells_and_writes_no_run(tmp_path: Path) -> None:
    code, text = _command(STUDY, tmp_path, dry_run=True)
    assert code == 0
    assert "12 cells" in text
    assert not (tmp_path / "mlflow.db").exists()


def test_a_second_driver_of_the_same_study_is_refused(tmp_path: Path) -> None:
    held = exclusive(tmp_path / f".{STUDY.name}.lock", "", "")
    with held, pytest.raises(InputError, match="running already"):
        run_study(STUDY, storage=tmp_path)
