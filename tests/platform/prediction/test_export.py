"""Export of a finished study: kept models, the bundle of a variant's seeds, its model card, MLflow's own model."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from helpers.finished_study import Finished

from fmerl.bundle.calibration import probabilities
from fmerl.bundle.folder import read_bundle, read_manifest
from fmerl.errors import InputError
from fmerl_platform import predict, run_study
from fmerl_platform.cli.main import main
from fmerl_platform.ledger.models.bundles import check_registrable, read_logged, tracked_by
from fmerl_platform.ledger.results import CellRecord
from fmerl_platform.prediction.export import ExportRequest, export, log_to_mlflow
from fmerl_platform.prediction.request import PredictionRequest
from fmerl_platform.prediction.requirements import EXAMPLE, requirements
from fmerl_platform.prediction.run import plan_predictions
from fmerl_platform.scoring.calibration import expected_calibration_error
from fmerl_platform.statistics import estimate

TALK = [*EXAMPLE, {"speaker": "Ben", "text": "oh my god leave me alone"}]
PRIDE = "pride=Arousal: a day, Valence: what a day, Dominance: my god"


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def ledger_scores(cell: CellRecord) -> np.ndarray:
    rows = [row["scores"] for row in cell.predictions.to_pylist() if row["split"] == "test"]
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("variant", ["FMERL", "w/o Valence"])
def test_a_bundle_gives_the_scores_that_the_ledger_holds(finished: Finished, variant: str, tmp_path: Path) -> None:
    """From texts alone, by the recipes, of a kept run and of an export, to 1e-5."""
    cells = [finished.results[variant].cell(seed) for seed in (0, 1)]
    whole = tmp_path / "bundle"
    export(finished.results, ExportRequest(variant=variant), whole, finished.storage)
    for source, wanted in ((cells[1].run_id, [cells[1]]), (str(whole), cells)):
        request = PredictionRequest(bundle=source, input=finished.corpus, split="test", storage=finished.storage)
        plan = plan_predictions(request)
        rows = plan.predictor.predict(plan.first)
        gold = [row["utterance_id"] for row in cells[0].predictions.to_pylist() if row["split"] == "test"]
        at = {name: place for place, name in enumerate(rows["utterance_id"].to_pylist())}
        bundle = plan.predictor.bundle
        own = [probabilities(ledger_scores(cell), bundle.manifest.temperature) for cell in wanted]
        found = np.stack([rows[name].to_numpy() for name in bundle.classes], axis=1)
        np.testing.assert_allclose(found[[at[name] for name in gold]], np.mean(own, axis=0), atol=1e-5)
        assert rows["valence"].null_count == (len(rows) if variant == "w/o Valence" else 0)


def test_kept_models_change_no_fingerprint_and_nothing_is_trained_twice(finished: Finished) -> None:
    again = run_study(finished.study, storage=finished.storage)
    before, after = (results.corpora[0].cells for results in (finished.results, again))
    assert [cell.run_id for cell in after] == [cell.run_id for cell in before]


def test_the_model_card_says_how_good_of_what_and_what_not(finished: Finished, bundle: Path) -> None:
    card, manifest = (bundle / "README.md").read_text(encoding="utf-8"), read_manifest(bundle)
    corpus = finished.results.corpora[0]
    found = estimate(corpus.predictions_of("FMERL"), 3)
    assert f"{100 * found.mean:.2f} ± {100 * found.sd:.2f}" in card
    assert f"[{100 * max(found.ci_low, 0):.2f}, {100 * min(found.ci_high, 1):.2f}]" in card
    for words in ("joy", "anger", "fear", "control of its study", "CC0-1.0", "Do not decide about people"):
        assert words in card
    for cell in corpus.of_variant("FMERL"):
        assert cell.fingerprint in card
    assert manifest.split_digest in card
    scores = np.stack([ledger_scores(cell) for cell in corpus.of_variant("FMERL")])
    rows = [row for row in corpus.cells[0].predictions.to_pylist() if row["split"] == "test"]
    labelled = np.array([row["gold"] is not None for row in rows])
    gold = np.array([manifest.classes.index(row["gold"]) for row in rows if row["gold"] is not None])
    joint = probabilities(scores[:, labelled], manifest.temperature).mean(axis=0)
    error = expected_calibration_error(joint.max(axis=1), joint.argmax(axis=1) == gold)
    assert f"is **{100 * error:.2f}** points" in card


def test_a_variant_s_card_has_its_verdict(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    export(finished.results, ExportRequest(variant="w/o Valence", seeds=(1,)), folder, finished.storage)
    assert [member.seed for member in read_manifest(folder).members] == [1]
    assert "Verdict against FMERL in its study: **inconclusive**" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ExportRequest(variant="w/o Joy"), "w/o Joy is not in the study; name one of FMERL, w/o Valence"),
        (ExportRequest(corpus="meld"), "meld is not in the study; name one of words"),
        (ExportRequest(seeds=(0, 7)), "seed 7 is not finished"),
    ],
)
def test_what_is_not_there_is_refused(finished: Finished, tmp_path: Path, request_: ExportRequest, said: str) -> None:
    with pytest.raises(InputError, match=said):
        export(finished.results, request_, tmp_path / "bundle", finished.storage)
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="something without a card is in the way"):
        export(finished.results, ExportRequest(), tmp_path / "mine", finished.storage)


def test_a_cell_without_weights_is_trained_again_when_asked(finished: Finished, tmp_path: Path) -> None:
    cell = finished.results["FMERL"].cell(1)
    artifacts = Path(urlparse(finished.results.experiment.client().get_run(cell.run_id).info.artifact_uri).path)
    kept = read_logged(cell.run_id, finished.storage)
    (artifacts / "bundle").rename(tmp_path / "kept")
    try:
        with pytest.raises(InputError, match="FMERL, seed 1: the cell kept no weights; give --retrain"):
            export(finished.results, ExportRequest(), tmp_path / "bundle", finished.storage)
        with pytest.raises(InputError, match="it keeps no weights"):
            predict(cell.run_id, TALK, storage=finished.storage)
        export(finished.results, ExportRequest(seeds=(1,), retrain=True), tmp_path / "bundle", finished.storage)
    finally:
        (tmp_path / "kept").rename(artifacts / "bundle")
    again = read_bundle(tmp_path / "bundle")
    for before, after in zip(kept.models[0].state_dict().values(), again.models[0].state_dict().values(), strict=True):
        assert torch.equal(before, after)


def test_names_that_the_registry_refuses_are_told_before_anything_is_trained_again(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    check_registrable(finished.results.experiment.uri, "new-model", "champion")
    given = ["--study", "talks", "--storage", str(finished.storage), "--output", str(tmp_path / "x"), "--dry-run"]
    for names, said in (
        (["--register", "new/model"], "--register, --alias new/model: "),
        (["--register", "new-model", "--alias", "the champion"], "--register, --alias the champion: "),
    ):
        with pytest.raises(SystemExit) as left:
            main(["export", *given, *names])
        assert left.value.code == 2
        assert said in capfd.readouterr().err


def test_mlflow_holds_a_model_with_a_signature_and_pinned_packages(finished: Finished, bundle: Path) -> None:
    before = mlflow.get_tracking_uri()
    logged = log_to_mlflow(finished.results, read_manifest(bundle), bundle, "talks-fmerl", "champion")
    assert mlflow.get_tracking_uri() == before
    assert logged.version == "1"
    wanted = predict(bundle, TALK)
    for source in ("models:/talks-fmerl/1", "models:/talks-fmerl@champion"):
        pd.testing.assert_frame_equal(predict(source, TALK, storage=finished.storage), wanted)
    with pytest.raises(InputError, match="name a registered model"):
        predict("models:/talks-fmerl/9", TALK, storage=finished.storage)
    with tracked_by(finished.results.experiment.uri):
        folder = mlflow.artifacts.download_artifacts(logged.uri)
        model = mlflow.pyfunc.load_model(folder)
    pd.testing.assert_frame_equal(model.predict(pd.DataFrame(TALK)), wanted)
    more = model.predict(pd.DataFrame(TALK), params={"classes": [PRIDE]})
    assert "pride" in more
    assert {column.name for column in model.metadata.signature.inputs} >= {"speaker", "text", "dialogue_id", "turn"}
    assert set(model.metadata.signature.outputs.input_names()) == set(wanted)
    pinned = (Path(folder) / "requirements.txt").read_text(encoding="utf-8").split()
    assert {line for line in pinned if not line.startswith("mlflow")} == set(requirements(read_manifest(bundle)))
    assert all("==" in line for line in pinned)
