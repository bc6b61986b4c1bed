"""Shipped studies: variants change exactly what they declare; released code is judged against its own system."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.repository import EXPERIMENTS

from fmerl.config.presets import PRESETS
from fmerl_platform.cli.study_file import read_study_file
from fmerl_platform.study.paper import SYSTEMS
from fmerl_platform.study.variant import by_name

STUDIES = EXPERIMENTS / "studies"
DEPARTURES = STUDIES / "departures"
FILES = {file.relative_to(STUDIES).as_posix(): file for file in STUDIES.rglob("*.py")}


@pytest.mark.parametrize("corpus", ["meld", "iemocap"])
@pytest.mark.parametrize("file", FILES.values(), ids=list(FILES))
def test_each_variant_is_a_declared_change_of_its_control(file: Path, corpus: str) -> None:
    preset = PRESETS["paper" if file.name == "open_choices.py" else "laptop"](corpus)
    first, *variants = read_study_file(file)
    control = first.derive(preset)
    derived = [variant.derive(control) for variant in variants]
    assert len({control, *derived}) == 1 + len(variants), "no two are the same cell"


@pytest.mark.parametrize(
    ("file", "system", "changes"),
    [
        ("sdt.py", "SDT", {"backbone.unimodal_gate": "identity"}),
        ("ckcl.py", "CKCL (LLM knowledge)", {"system.ckcl.trained_pass": "bare"}),
    ],
)
def test_a_departure_is_judged_against_the_same_system(file: str, system: str, changes: dict[str, str]) -> None:
    preset = PRESETS["laptop"]("meld")
    first, variant = read_study_file(DEPARTURES / file)
    control = first.derive(preset)
    assert control == by_name(SYSTEMS)[system].derive(preset), "the paper's reading is the system as it always runs"
    assert variant.derive(control).difference(control) == changes
