"""Conditions of a study, the whole way: tested after training, and later with the models that cells kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from fmerl.errors import InputError
from fmerl_platform.ledger.conditions import untested
from fmerl_platform.running.options import KeepOptions
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.plan import describe, plan_study
from fmerl_platform.studies.results import StudyResults, open_study
from fmerl_platform.studies.run import run_study
from fmerl_platform.study.hold_out import HoldOut
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study

PLAIN = Study(
    "conditions",
    corpora=("synthetic-iemocap",),
    variants=(PAPER[0], PAPER[-1]),
    seeds=(0,),
    inputs=InputOptions(scale=0.05, epochs=1, modalities=("text", "audio")),
)
ASKED = ("text:snr=0", "audio:delay=2 text:drop=0.5")
NAMES = ("text:snr=0", "audio:delay=2", "text:drop=0.5")
TRAINED = {"first epoch", "text masked", "audio masked"}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conditions")


@pytest.fixture(scope="module")
def later(storage: Path, local_ray: None, tracking_uri: str) -> tuple[StudyResults, StudyResults]:
    """A study that kept its models, and the same one after conditions and a seed were asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
        run_study(PLAIN, storage=storage, keep=KeepOptions(keep_weights=True))
        before = open_study(PLAIN.name, storage)
        _ = before.corpora
        run_study(replace(PLAIN, seeds=(0, 1), conditions=ASKED), storage=storage)
        after = open_study(PLAIN.name, storage)
        _ = after.corpora
        return before, after


def test_finished_cells_are_tested_and_not_trained_again(later: tuple[StudyResults, StudyResults]) -> None:
    before, after = (found["FMERL"].cell(seed=0) for found in later)
    assert after.run_id == before.run_id
    assert set(before.conditions["condition"].to_pylist()) == TRAINED
    assert set(after.conditions["condition"].to_pylist()) == TRAINED | {*NAMES}
    for name in TRAINED:
        assert after.conditions.filter(pc.field("condition") == name).equals(
            before.conditions.filter(pc.field("condition") == name)
        )
    assert after.predictions.equals(before.predictions)


def test_a_new_cell_is_tested_when_it_is_trained(later: tuple[StudyResults, StudyResults]) -> None:
    cell = later[1]["FMERL"].cell(seed=1)
    assert set(cell.conditions["condition"].to_pylist()) == TRAINED | {*NAMES}
    clean, noisy = (np.array(cell.labelled_test(name)["scores"].to_pylist()) for name in (None, "text:snr=0"))
    assert clean.shape == noisy.shape
    assert not np.array_equal(clean, noisy)


def test_the_report_and_its_rows_tell_them(later: tuple[StudyResults, StudyResults], storage: Path) -> None:
    folder = storage / "reports" / PLAIN.name
    rows = json.loads((folder / "results.json").read_text(encoding="utf-8"))["corpora"]["synthetic-iemocap"][
        "conditions"
    ]
    expected = [(name, variant.name) for name in NAMES for variant in PLAIN.variants]
    assert [(row["condition"], row["variant"]) for row in rows] == expected
    assert all(row["n_seeds"] == 2 for row in rows)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Under other conditions" in page


def test_cells_without_a_model_are_told(
    later: tuple[StudyResults, StudyResults], storage: Path, caplog: pytest.LogCaptureFixture, tracking_uri: str
) -> None:
    """Seed 1 kept none; seed 0 did, and is tested under the one condition more."""
    study = replace(PLAIN, seeds=(0, 1), conditions=(*ASKED, "audio:snr=5"))
    with pytest.MonkeyPatch.context() as patch, caplog.at_level("WARNING", "fmerl_platform"):
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
        found = run_study(study, storage=storage)
        plan = plan_study(study, Ablation(), storage)
    assert "2 finished cells kept no model" in caplog.text
    lacking = untested(found.experiment, plan.cells)
    assert [cell.seed for cell in lacking.lost] == [1, 1]
    assert lacking.testable == []
    page = (storage / "reports" / PLAIN.name / "report.html").read_text(encoding="utf-8")
    assert "Not tested under audio:snr=5: FMERL (1 seed), w/o Multitask Regression (1 seed)." in page


def test_a_plan_tells_conditions_and_no_fingerprint_holds_them(tmp_path: Path) -> None:
    asked = replace(PLAIN, conditions=("text:snr=0 audio:drop",))
    plain, plan = (plan_study(study, Ablation(), tmp_path) for study in (PLAIN, asked))
    assert [cell.fingerprint for cell in plan.cells] == [cell.fingerprint for cell in plain.cells]
    assert any("also tested under: text masked, audio masked, text:snr=0" in line for line in describe(plan))


def test_what_no_cell_reads_and_what_is_no_condition_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cell of synthetic-iemocap reads visual"):
        plan_study(replace(PLAIN, conditions=("visual:drop",)), Ablation(), tmp_path)
    with pytest.raises(InputError, match="--conditions"):
        replace(PLAIN, conditions=("text:loud",))
    with pytest.raises(InputError, match="no report of a zero-shot study shows them"):
        replace(PLAIN, conditions=("text:drop",), hold_out=HoldOut(classes=("happy",)))
