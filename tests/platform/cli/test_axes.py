"""Variants made by the command line and by a user's file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

from fmerl.config import CellConfig
from fmerl.config.presets import PRESETS
from fmerl.errors import InputError
from fmerl_platform.cli.axes import axis_variants
from fmerl_platform.cli.main import options_of
from fmerl_platform.cli.study_file import read_study_file
from fmerl_platform.study.fields import FIELDS
from fmerl_platform.study.variant import StudyError, Variant

CONTROL = CellConfig()


def values(axis: str, path: str, control: CellConfig = CONTROL) -> list[object]:
    return [variant.derive(control).flatten()[path] for variant in axis_variants(axis)]


def test_every_field_can_be_an_axis() -> None:
    assert set(CONTROL.flatten()) <= set(FIELDS)


@pytest.mark.parametrize(
    ("axis", "path", "expected"),
    [
        ("training.batch_size=8,32", "training.batch_size", [8, 32]),
        ("temperature=.05, .1", "contrastive.temperature", [0.05, 0.1]),
        ("learn_temperature", "contrastive.learn_temperature", [False, True]),
        ("candidates", "contrastive.candidates", ["unique", "in_batch", "multi_positive"]),
        ("attention", "backbone.attention", ["full", "past"]),
        ("regression.dimensions=none,valence+arousal", "regression.dimensions", [[], ["valence", "arousal"]]),
        ("encoder=a/b,package:c", "anchors.encoder", ["a/b", "package:c"]),
        ("modalities=text,text+audio", "backbone.modalities", [["text"], ["text", "audio"]]),
    ],
)
def test_values_of_every_kind(axis: str, path: str, expected: list[object]) -> None:
    assert values(axis, path) == expected


def test_modalities_are_the_sets_of_the_controls() -> None:
    two = CONTROL.changed(backbone__modalities=("text", "visual"))
    different = [found for found in values("modalities", "backbone.modalities", two) if found != ["text", "visual"]]
    assert different == [["text"], ["visual"]]
    assert len({variant.name for variant in axis_variants("modalities")}) == 7


def test_names_tell_fields_apart() -> None:
    assert axis_variants("batch_size=8")[0].name == "batch_size = 8"
    assert axis_variants("anchors.dimensions=none")[0].name == "anchors.dimensions = none"


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ("smell=1", "no configuration field"),
        ("dimensions", "regression.dimensions, anchors.dimensions"),
        ("batch_size", "no values"),
        ("batch_size=many", "'many' is no int"),
        ("learn_temperature=perhaps", "'perhaps' is no bool"),
    ],
)
def test_a_bad_axis_is_named(axis: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        axis_variants(axis)


def test_a_value_that_the_config_refuses_names_its_variant() -> None:
    [variant] = axis_variants("temperature=0")
    with pytest.raises(StudyError, match=r"'temperature = 0.0': contrastive: temperature must be positive"):
        variant.derive(CONTROL)


STUDY = """
from fmerl_platform.study.variant import Variant

VARIANTS = [
    Variant(name="warm", change=lambda c: c.changed(training__epochs=9), declares=("training.epochs",)),
    Variant(name="wide", change=lambda c: c.changed(backbone__hidden=2048), declares=("backbone.hidden",)),
]
"""


def names(*arguments: str) -> list[str]:
    return [variant.name for variant in options_of("ablation", arguments or ["--corpus", "c"]).compared.chosen()]


def test_axes_and_files_stand_beside_or_instead_of_the_papers_variants(tmp_path: Path) -> None:
    file = tmp_path / "my_study.py"
    file.write_text(STUDY)
    assert len(names()) == 7
    assert names("--variants", "w/o Valence") == ["FMERL", "w/o Valence"]
    assert names("--axis", "batch_size=8,16") == ["FMERL", "batch_size = 8", "batch_size = 16"]
    assert len(names("--axis", "batch_size=8,16", "--variants", "all")) == 9
    assert names("--study-file", str(file)) == ["warm", "wide"]
    assert names("--study-file", str(file), "--axis", "hidden=64") == ["warm", "wide", "hidden = 64"]


IMPORT = "from fmerl_platform import Variant as V"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VARIANTS = [", r"my_study.py, row 1: SyntaxError"),
        ("x = 1\nraise ValueError('no\\nway')", r"my_study.py, row 2: ValueError: no way"),
        ("x = 1", "no VARIANTS"),
        ("VARIANTS = []", "no VARIANTS"),
        ("VARIANTS = ['w/o Valence']", "no VARIANTS"),
        ("import sys\nsys.exit(0)", r"my_study.py, row 2: SystemExit: 0"),
        (
            f"{IMPORT}\nV(name='a', change=dict, declares='training.epochs')",
            r"row 2: StudyError: .*'a': declares is a list",
        ),
        (f"{IMPORT}\nV(name='', change=dict)", r"row 2: StudyError: a variant needs a name and a change"),
        (f"{IMPORT}\nV(name='a', change=3)", r"row 2: StudyError: a variant needs a name and a change"),
    ],
)
def test_a_bad_study_file_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "my_study.py"
    file.write_text(text)
    with pytest.raises(InputError, match=expected) as caught:
        read_study_file(file)
    assert "\n" not in str(caught.value)


def test_the_documented_study_is_sound(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "ablations.md").read_text(encoding="utf-8")
    file = tmp_path / "my_study.py"
    file.write_text(text.split("```python\n")[1].split("```")[0])
    control, *variants = read_study_file(file)
    derived = control.derive(PRESETS["laptop"]("synthetic-meld"))
    assert len({variant.derive(derived) for variant in variants} | {derived}) == 3


def test_a_study_file_may_change_the_control(tmp_path: Path) -> None:
    file = tmp_path / "my_study.py"
    file.write_text(STUDY)
    control, wide = read_study_file(file)
    assert isinstance(control, Variant)
    derived = wide.derive(control.derive(CONTROL))
    assert (derived.training.epochs, derived.backbone.hidden) == (9, 2048)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda config: None, "variant 'own': TypeError: its change gives NoneType, and no CellConfig"),
        (lambda config: config.nothing, "variant 'own': AttributeError: "),
        (lambda config: sys.exit(0), "variant 'own': SystemExit: 0"),
        (lambda config: config.changed(training__epochs="many"), "variant 'own': training: epochs must be a whole"),
        (lambda config: config.changed(training__epochs=2**40), "variant 'own': training: epochs must be a whole"),
        (lambda config: replace(config, training=None), "variant 'own'"),
    ],
)
def test_a_change_that_makes_no_configuration_is_one_line(
    change: Callable[[CellConfig], CellConfig], expected: str
) -> None:
    with pytest.raises(StudyError, match=expected) as caught:
        Variant(name="own", change=change, declares=("training.epochs",)).derive(CONTROL)
    assert "\n" not in str(caught.value)
