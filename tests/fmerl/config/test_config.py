"""What a configuration refuses, and its flat form."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from fmerl.config import (
    AnchorConfig,
    BackboneConfig,
    CellConfig,
    ContrastiveConfig,
    RegressionConfig,
    TrainingConfig,
    field_types,
)

SECTIONS = (BackboneConfig, RegressionConfig, ContrastiveConfig, AnchorConfig, TrainingConfig)
CHOICES = [
    (section, name, typing.get_args(hint))
    for section in SECTIONS
    for name, hint in typing.get_type_hints(section).items()
    if typing.get_origin(hint) is typing.Literal
]


@pytest.mark.parametrize(("section", "name", "choices"), CHOICES, ids=lambda value: str(value))
def test_a_switch_takes_its_choices_and_names_them_when_refused(
    section: type, name: str, choices: tuple[str, ...]
) -> None:
    assert getattr(section(), name) == choices[0], "the first choice is the default"
    for choice in choices:
        assert getattr(section(**{name: choice}), name) == choice
    with pytest.raises(ValueError, match=f"{name} must be one of {', '.join(choices)}, not 'nonsense'"):
        section(**{name: "nonsense"})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BackboneConfig(modalities=()), "must not be empty"),
        (lambda: BackboneConfig(modalities=("text", "text")), "distinct"),
        (lambda: BackboneConfig(modalities=("smell",)), "text, audio, visual"),
        (lambda: BackboneConfig(standardize=("smell",)), "standardize"),
        (lambda: BackboneConfig(hidden=10, heads=4), "must divide"),
        (lambda: BackboneConfig(hidden=9, heads=3), "even"),
        (lambda: BackboneConfig(heads=0), "must divide"),
        (lambda: BackboneConfig(dropout=1.0), "dropout"),
        (lambda: BackboneConfig(dropout=-0.1), "dropout"),
        (lambda: RegressionConfig(dimensions=("valence", "valence")), "distinct"),
        (lambda: RegressionConfig(dimensions=("pleasure",)), "valence, arousal, dominance"),
        (lambda: RegressionConfig(hidden_layers=-1), "hidden_layers"),
        (lambda: RegressionConfig(arousal_weight=-1.0), "negative"),
        (lambda: ContrastiveConfig(temperature=0.0), "temperature"),
        (lambda: ContrastiveConfig(negative_weight=-0.5), "negative"),
        (lambda: ContrastiveConfig(triple_weight=-0.5), "negative"),
        (lambda: AnchorConfig(dimensions=(), include_name=False), "empty"),
        (lambda: TrainingConfig(learning_rate=0.0), "learning_rate"),
        (lambda: TrainingConfig(weight_decay=-1.0), "weight_decay"),
        (lambda: TrainingConfig(epochs=0), "epochs"),
        (lambda: TrainingConfig(batch_size=0), "batch_size"),
        (lambda: TrainingConfig(threads=0), "threads"),
        (lambda: TrainingConfig(train_on_validation=True), "selection = last"),
    ],
)
def test_refused(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    "section", [{"learning_rate": float("nan")}, {"weight_decay": float("nan")}, {"learning_rate": float("inf")}]
)
def test_a_rate_that_is_no_finite_number_is_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        TrainingConfig(**section)


def test_allowed_at_the_edges() -> None:
    assert TrainingConfig(train_on_validation=True, selection="last").train_on_validation
    assert BackboneConfig(dropout=0.0, hidden=2, heads=1).hidden == 2
    assert AnchorConfig(dimensions=(), include_name=False, description="label").description == "label"


def test_a_configuration_is_a_value() -> None:
    assert CellConfig() == CellConfig()
    assert hash(CellConfig()) == hash(CellConfig())
    with pytest.raises(FrozenInstanceError):
        CellConfig().training.epochs = 3  # type: ignore[misc]


def test_flatten_names_every_field_and_survives_json() -> None:
    flat = CellConfig().flatten()
    assert set(flat) == {path for path in field_types() if not path.startswith("system.")} | {"system.name"}
    own = set(CellConfig().changed(system__name="SDT").flatten()) - set(flat)
    assert own == {"system.class_weights", "system.sdt.temperature"}
    assert CellConfig.from_flat(flat) == CellConfig()
    assert flat["backbone.modalities"] == ["text", "audio", "visual"]
    assert json.loads(json.dumps(flat)) == flat


def test_changed_replaces_what_it_names_and_nothing_else() -> None:
    changed = CellConfig().changed(training__epochs=3, contrastive__negative_weight=0.0, training__threads=2)
    before, after = CellConfig().flatten(), changed.flatten()
    assert {name: after[name] for name in after if after[name] != before[name]} == {
        "training.epochs": 3,
        "training.threads": 2,
        "contrastive.negative_weight": 0.0,
    }
    assert CellConfig().changed() == CellConfig()


@pytest.mark.parametrize(
    "path", ["training__epoch", "nothing__epochs", "epochs", "training", "flatten__x", "__class__"]
)
def test_changed_refuses_a_field_that_does_not_exist(path: str) -> None:
    with pytest.raises(ValueError, match="no such field"):
        CellConfig().changed(**{path: 3})


def test_changed_checks_the_result() -> None:
    with pytest.raises(ValueError, match="epochs"):
        CellConfig().changed(training__epochs=0)
    both = CellConfig().changed(training__train_on_validation=True, training__selection="last")
    assert both.training.selection == "last"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("contrastive.temperature", 0, "contrastive: temperature must be positive, not 0.0"),
        ("system.sdt.temperature", -1, "system.sdt: temperature must be positive, not -1.0"),
        ("training.epochs", 1.5, "training: epochs must be a whole number below 2^31, not 1.5"),
    ],
)
def test_an_error_names_the_section(path: str, value: object, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        CellConfig().with_values({path: value})
