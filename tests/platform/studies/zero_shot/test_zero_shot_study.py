"""A zero-shot study from the command line to MLflow and its report; again, with language models beside; remade."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.repository import EXPERIMENTS

from fmerl.synthetic import MELD_SHAPE
from fmerl.synthetic.folder import materialise
from fmerl_platform.ledger.experiment import Experiment

STUDY, MODELS = "held-out", "models"


@dataclass(frozen=True)
class Home:
    """Where a study's corpus, features and results lie."""

    storage: Path
    corpus: Path
    features: Path

    def arguments(self, *more: str) -> list[str]:
        own = ["--corpus", str(self.corpus), "--features", str(self.features), "--storage", str(self.storage)]
        return [*own, "--study", STUDY, "--seeds", "0", "1", "--epochs", "1", *more]


def main(script: str, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(EXPERIMENTS / script), *arguments])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(EXPERIMENTS / script), run_name="__main__")
    return int(left.value.code or 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A corpus whose text features were, by their card, made by an encoder that saw the labels."""
    storage = tmp_path_factory.mktemp("zero-shot")
    corpus, features = materialise(replace(MELD_SHAPE, scale=0.05), storage)
    card = features / "synthetic-meld" / "text" / "card.json"
    content = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps({**content, "supervised_on_labels": True}), encoding="utf-8")
    return Home(storage, corpus, features)


@pytest.fixture(scope="module")
def experiment(home: Home, local_ray: None, tracking_uri: str) -> Experiment:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
        assert main("zero_shot.py", *home.arguments("--calibrated-stacking", "--systems", "SDT")) == 0
        return Experiment.existing(home.storage, STUDY)


def test_every_cell_says_what_it_held_out(experiment: Experiment) -> None:
    runs = experiment.find(level="seed")
    held_out = {(run.data.tags["fmerl.variant"], run.data.tags["fmerl.unseen"]) for run in runs}
    [stand_in] = [name for name, _ in held_out if name.startswith("pseudo-unseen ")]
    assert held_out == {("FMERL", "fear"), ("SDT", "fear"), (stand_in, f"fear,{stand_in.split()[-1]}")}
    assert len(runs) == 6
    for run in runs:
        assert run.data.params["training.unseen_utterances"] == "context"
        assert ("test_unseen_accuracy" in run.data.metrics) == (run.data.tags["fmerl.variant"] != stand_in)


def test_variants_carry_their_scores_and_the_warning(experiment: Experiment) -> None:
    runs = {run.data.tags["fmerl.variant"]: run for run in experiment.find(level="variant")}
    control = runs["FMERL"].data
    for name in ("unseen_accuracy", "subset_weighted_f1", "one_vs_rest_f1", "weighted_f1", "harmonic_mean"):
        assert 0 <= control.metrics[f"test_{name}_mean"] <= 1
        assert 0 <= control.metrics[f"calibrated_test_{name}_mean"] <= 1
    assert {"ausuc_mean", "median_lead_mean", "calibrated_constant_mean"} <= set(control.metrics)
    assert runs["SDT"].data.metrics["test_unseen_accuracy_mean"] == 0
    [study] = experiment.find(level="study")
    for tags in (study.data.tags, control.tags):
        assert "text features was trained on emotion labels" in tags["fmerl.warning"]
        assert "not zero" in tags["mlflow.note.content"]


def log_model(experiment: Experiment, models: Experiment, model: str, unseen: str, folder: Path) -> None:
    """A language model's run as its own study would leave it: FMERL's answers on every second test utterance."""
    client = experiment.client()
    run = next(run for run in experiment.find(level="seed", variant="FMERL", seed="0"))
    path = Path(client.download_artifacts(run.info.run_id, "predictions.parquet", str(folder)))
    table = pq.read_table(path).filter(pa.compute.field("split") == "test")
    tags = {
        "study": models.study,
        "level": "seed",
        "corpus": "synthetic-meld",
        "variant": model,
        "seed": "0",
        "fingerprint": f"{model}-{unseen}",
        "unseen": unseen,
    }
    own = client.create_run(models.experiment_id, tags={f"fmerl.{key}": value for key, value in tags.items()})
    pq.write_table(table.take(list(range(0, len(table), 2))), path)
    client.log_artifact(own.info.run_id, str(path))
    client.log_metric(own.info.run_id, "test_accuracy", 0.5)
    client.set_terminated(own.info.run_id, "FINISHED")


def test_language_models_stand_beside_and_strangers_are_refused_by_name(
    experiment: Experiment,
    home: Home,
    tracking_uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    models = Experiment.open(tracking_uri, MODELS, home.storage / "models")
    log_model(experiment, models, "Qwen-7B", "fear", tmp_path)
    log_model(experiment, models, "Llama2-7B", "joy", tmp_path)
    before = {run.info.run_id for run in experiment.find(level="seed")}
    asked = home.arguments("--calibrated-stacking", "--systems", "SDT", "--llm-study", MODELS)
    assert main("zero_shot.py", *asked) == 0
    assert {run.info.run_id for run in experiment.find(level="seed")} == before, "nothing is trained again"
    printed = capsys.readouterr()
    assert "6 of 6 cells are finished already" in printed.err
    assert "Warning: by its card" in printed.err
    report = home.storage / "reports" / STUDY
    rows = json.loads((report / "results.json").read_text(encoding="utf-8"))["corpora"]["synthetic-meld"]["rows"]
    assert [row["name"] for row in rows] == ["FMERL", "FMERL, calibrated", "SDT", "Qwen-7B"]
    qwen = rows[-1]
    assert qwen["single_run"]
    assert qwen["n_utterances"] == (rows[0]["n_utterances"] + 1) // 2
    assert qwen["against"]["unseen_accuracy"]["n_pairs"] == 2
    markdown = (report / "table.md").read_text(encoding="utf-8")
    assert "Not shown: Llama2-7B, seed 0 (run" in markdown
    assert "its unseen classes are joy, not fear" in markdown

    assert main("report.py", "--study", STUDY, "--storage", str(home.storage), "--output", str(report / "again")) == 0
    for name in ("table.md", "table.tex", "results.json"):
        assert (report / "again" / name).read_bytes() == (report / name).read_bytes()


def test_a_report_follows_the_language_models_that_stand_beside(
    experiment: Experiment, home: Home, tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    models = Experiment.open(tracking_uri, "more models", home.storage / "models")
    page = tmp_path / "report"

    def shown() -> list[str]:
        assert main("report.py", "--study", STUDY, "--storage", str(home.storage), "--output", str(page)) == 0
        content = json.loads((page / "results.json").read_text(encoding="utf-8"))
        return [row["name"] for row in content["corpora"]["synthetic-meld"]["rows"]]

    asked = home.arguments("--calibrated-stacking", "--systems", "SDT", "--llm-study", "more models")
    assert main("zero_shot.py", *asked) == 0
    assert shown() == ["FMERL", "FMERL, calibrated", "SDT"]
    written = (page / "results.json").stat().st_mtime_ns
    assert shown() == ["FMERL", "FMERL, calibrated", "SDT"]
    assert (page / "results.json").stat().st_mtime_ns == written, "made of the same, it is left as it is"
    log_model(experiment, models, "Qwen-7B", "fear", tmp_path)
    assert shown() == ["FMERL", "FMERL, calibrated", "SDT", "Qwen-7B"]


def test_one_cell_is_reproduced(
    experiment: Experiment,
    home: Home,
    tracking_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    cell = ("--study", STUDY, "--storage", str(home.storage), "--reproduce", "synthetic-meld/FMERL/1")
    assert main("report.py", *cell) == 0
    assert "reproduced (same code" in capsys.readouterr().out


def test_a_dry_run_trains_nothing(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = home.arguments("--variants", "all", "--calibrated-stacking", "--dry-run")
    arguments[arguments.index(str(home.storage))] = str(tmp_path / "runs")
    assert main("zero_shot.py", *arguments, "--unseen", "joy", "fear", "--unseen-utterances", "deleted") == 0
    printed = capsys.readouterr()
    assert "16 cells" in printed.out
    assert "held out: fear, joy; their utterances: deleted" in printed.err
    assert "they know fear, joy and these numbers are not zero-shot" in printed.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--unseen", "bliss"], "--unseen bliss"),
        (["--unseen", "mled=fear"], "no corpus of this study is called mled"),
        (["--unseen-utterances", "kept"], "--unseen-utterances"),
        (
            ["--calibrated-stacking", "--unseen", "neutral", "surprise", "fear", "sadness", "joy"],
            "--calibrated-stacking",
        ),
        (["--llm-study", "nowhere"], "no study 'nowhere'; name one of "),
        (["--meld", "."], "only one of them is given"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    home: Home,
    tracking_uri: str,
    arguments: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    given = home.arguments(*arguments)
    given[given.index(STUDY)] = "another"
    assert main("zero_shot.py", *given) == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert expected in error
    assert not Experiment.open(tracking_uri, "another", home.storage).find(level="seed")
