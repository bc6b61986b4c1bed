"""Table 1: systems as variants of FMERL, judged like them, with the published rows beside."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.repository import EXPERIMENTS

from fmerl.card import CARD, recipe_digest
from fmerl.config import KNOWLEDGE, SystemName
from fmerl.config.presets import PRESETS
from fmerl.errors import InputError
from fmerl.synthetic import SHAPES
from fmerl.synthetic.folder import materialise
from fmerl_platform.cli.main import options_of
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.studies.paper_results import COUNTERPARTS, NOT_RUN, TABLE_1, published_score
from fmerl_platform.study.paper import NEED_KNOWLEDGE, SYSTEM_NAMES, SYSTEMS

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
    assert [config.system.name for config in derived.values()] == list(SYSTEM_NAMES)
    # Names say what differs from the published system.
    assert [config.system.name for name, config in derived.items() if name != config.system.name] == [
        "COSMIC",
        "CKCL",
        "belief-desire graph",
    ]
    assert derived["CKCL (LLM knowledge)"].system.ckcl.context_weight == (0.1 if corpus == "meld" else 0.9)
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
        assert set(rows) == {"SDT", "MultiEMO", "SACL-LSTM", *NOT_RUN, *COUNTERPARTS.values()}
        assert not set(NOT_RUN) & set(names)
    assert set(COUNTERPARTS) < {variant.name for variant in SYSTEMS}
    assert published_score("meld", "CKCL (LLM knowledge)") == TABLE_1["meld"]["CKCL"]
    assert published_score("meld", "COSMIC (LLM knowledge)") is None
    assert published_score("meld", "FMERL") is not None
    assert published_score("synthetic-meld", "SDT") is None


def test_a_dry_run_plans_every_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--corpus", "synthetic-meld", "--scale", "0.02", "--storage", tmp_path, "--dry-run")
    assert main(monkeypatch, *few) == 0
    printed = capsys.readouterr().out
    assert "50 cells" in printed
    assert all((variant.name in printed) == (variant.name not in NEED_KNOWLEDGE) for variant in SYSTEMS)
    assert main(monkeypatch, *few, "--systems", *sorted(NEED_KNOWLEDGE)) == 0
    printed = capsys.readouterr().out
    assert "20 cells" in printed
    assert all(name.split()[0] in printed for name in NEED_KNOWLEDGE), "long names are broken over lines"


def test_a_system_that_lacks_its_knowledge_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = replace(SHAPES["synthetic-meld"], scale=0.02)
    folder, features = materialise(spec, tmp_path)
    arguments = ("--corpus", folder, "--features", features, "--storage", tmp_path, "--dry-run", "--systems")
    assert main(monkeypatch, *arguments, "CKCL (LLM knowledge)") == 0
    card = features / spec.name / KNOWLEDGE / CARD
    fields = json.loads(card.read_text())
    recipe = {**fields["recipe"], "relations": ["xWant"]}
    card.write_text(json.dumps({**fields, "recipe": recipe, "recipe_digest": recipe_digest(recipe)}))
    capsys.readouterr()
    assert main(monkeypatch, *arguments, "CKCL (LLM knowledge)") == 2
    assert "make it again with fmerl ask-knowledge" in capsys.readouterr().err
    shutil.rmtree(card.parent)
    assert main(monkeypatch, *arguments, "CKCL (LLM knowledge)") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "CKCL reads knowledge" in line
    assert "fmerl ask-knowledge" in line
    assert main(monkeypatch, *arguments, "SDT") == 0


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
