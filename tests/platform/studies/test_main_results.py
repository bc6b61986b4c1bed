"""Table 1: systems as variants of FMERL, judged like them, with the published rows beside."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from helpers.repository import EXPERIMENTS

from fmerl.config import SystemName
from fmerl.config.presets import PRESETS
from fmerl.errors import InputError
from fmerl_platform.cli.main import options_of
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.studies.paper_results import NOT_RUN, TABLE_1, published_score
from fmerl_platform.study.paper import SYSTEM_NAMES, SYSTEMS

SCRIPT = EXPERIMENTS / "main_results.py"


def main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return exit_.value.code


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("corpus", ["meld", "iemocap"])
def test_every_system_is_a_declared_change_of_fmerl(preset: str, corpus: str) -> None:
    control = PRESETS[preset](corpus)
    derived = {variant.name: variant.derive(control) for variant in SYSTEMS}
    assert {name: config.system.name for name, config in derived.items()} == {name: name for name in SYSTEM_NAMES}
    assert derived["EACL"].anchors.description == "label"
    assert derived["SDT"].system.sdt.temperature == (8 if corpus == "meld" else 1)


def test_a_grid_can_have_any_system_as_its_control() -> None:
    def variants(*arguments: str) -> list[str]:
        options = options_of("ablation", ["--corpus", "c", *arguments])
        return [variant.name for variant in options.compared.chosen()]

    assert variants("--system", "SDT") == ["SDT"]
    assert variants("--system", "SDT", "--axis", "sdt.temperature=1,4") == [
        "SDT",
        "sdt.temperature = 1.0",
        "sdt.temperature = 4.0",
    ]
    assert len(variants()) == 7
    with pytest.raises(InputError, match="SDT is the control"):
        variants("--system", "SDT", "--variants", "w/o Valence")
    with pytest.raises(InputError, match="defines the control itself"):
        variants("--system", "SDT", "--study-file", "x.py")


def test_each_published_system_has_a_model_or_a_reason() -> None:
    names: tuple[SystemName, ...] = SYSTEM_NAMES
    for rows in TABLE_1.values():
        assert set(rows) == {"SDT", "MultiEMO", "SACL-LSTM", *NOT_RUN}
        assert not set(NOT_RUN) & set(names)
    assert published_score("meld", "FMERL") is not None
    assert published_score("synthetic-meld", "SDT") is None


def test_a_dry_run_plans_every_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--corpus", "synthetic-meld", "--scale", "0.02", "--storage", tmp_path, "--dry-run")
    assert main(monkeypatch, *few) == 0
    printed = capsys.readouterr().out
    assert "50 cells" in printed
    assert all(name in printed for name in SYSTEM_NAMES)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_systems_run_as_a_study(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    few = ("--corpus", "synthetic-meld", "--scale", "0.02", "--epochs", "1", "--seeds", "0", "1", "--storage", tmp_path)
    assert main(monkeypatch, *few, "--systems", "majority", "SSLCL") == 0
    experiment = Experiment.existing(tmp_path, "main-results")
    runs = experiment.find(level="seed")
    assert {run.data.tags["fmerl.variant"] for run in runs} == {"FMERL", "majority", "SSLCL"}
    assert len(runs) == 6
    report = (tmp_path / "reports" / "main-results" / "table.md").read_text(encoding="utf-8")
    assert "Systems against FMERL" in report


def test_faults_end_with_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, "--meld", tmp_path, "--storage", tmp_path) == 2
    assert "only one of them is given" in capsys.readouterr().err
    assert main(monkeypatch, "--systems", "GPT") == 2
