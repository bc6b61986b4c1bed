"""A study in folds, the whole way: cells of every fold, pooled scores, one row per variant; and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmerl.errors import InputError
from fmerl_platform.ledger.cells import unfinished
from fmerl_platform.prediction.export import ExportRequest, export
from fmerl_platform.studies.results import StudyResults, open_study
from fmerl_platform.studies.run import run_study
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study

STUDY = Study(
    "folded",
    corpora=("synthetic-iemocap",),
    variants=(PAPER[0], PAPER[-1]),
    seeds=(0, 1),
    inputs=InputOptions(scale=0.05, epochs=1, modalities=("text",)),
    folds="2",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, local_ray: None, tracking_uri: str) -> StudyResults:
    storage = tmp_path_factory.mktemp("folded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
        run_study(STUDY, storage=storage)
        return open_study(STUDY.name, storage)


def test_every_cell_is_tagged_with_its_fold_and_none_is_left(results: StudyResults) -> None:
    runs = results.experiment.find(level="seed")
    found = {tuple(run.data.tags[f"fmerl.{tag}"] for tag in ("variant", "seed", "fold")) for run in runs}
    assert found == {(variant.name, seed, fold) for variant in STUDY.variants for seed in "01" for fold in "12"}
    assert len(runs) == 8
    assert unfinished(results.experiment, results.record.cells) == []


def test_a_seed_is_all_its_folds_and_every_utterance_is_tested_once(results: StudyResults) -> None:
    (corpus,) = results.corpora
    assert [cell.seed for cell in corpus.of_variant("FMERL")] == [0, 1]
    rows = results["FMERL"].predictions(seed=0)
    assert rows["utterance_id"].is_unique
    assert rows["gold"].notna().all()
    parts = [results["FMERL"].predictions(seed=0, fold=fold) for fold in ("1", "2")]
    tested = [part[part["split"] == "test"] for part in parts]
    assert sorted(rows["utterance_id"]) == sorted([*tested[0]["utterance_id"], *tested[1]["utterance_id"]])
    for fold, part in zip("12", tested, strict=True):
        assert set(rows[rows["fold"] == fold]["utterance_id"]) == set(part["utterance_id"])


def test_no_bundle_is_made_of_it(results: StudyResults, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="some folds of the corpus alone"):
        export(results, ExportRequest(), tmp_path / "bundle", tmp_path)
    assert not (tmp_path / "bundle").exists()


def test_the_report_says_what_its_scores_are(results: StudyResults, tmp_path: Path) -> None:
    assert results.frame()["n_seeds"].tolist() == [2, 2]
    paths = results.report().save(tmp_path)
    text = paths.markdown.read_text(encoding="utf-8")
    assert "Folds: a seed's score is of all folds' test predictions together" in text
    (section,) = results.report().sections
    assert "over 2 seeds of 2 folds each" in section.finding
    (cells,) = section.records
    assert [column.header for column in cells.columns] == ["Variant", "Seed", "Fold", "Fingerprint", "MLflow run"]
