"""Conditions are what users write, and nothing else is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.conditions.condition import Condition, Corruption, mask_of, masks_of, parse_conditions
from fmerl.config import MODALITIES
from fmerl.errors import InputError

AMOUNTS: dict[Corruption, st.SearchStrategy[float]] = {
    "drop": st.floats(0, 1, exclude_min=True, allow_subnormal=False).map(lambda share: float(f"{share:.6g}")),
    "snr": st.floats(-100, 100).map(lambda decibels: round(decibels, 3) + 0.0),
    "delay": st.integers(1, 1000).map(float),
}

NO_CONDITIONS = """
    audio audio: audio:loud audio:snr audio:snr=loud audio:snr=nan audio:snr=200 audio:snr=1=2 smell:drop :drop
    audio+audio:drop audio+:drop audio:drop=0 audio:drop=1.5 audio:drop= audio:delay audio:delay=0 audio:delay=1.5
    audio:delay=inf
"""


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    some = draw(st.sets(st.sampled_from(MODALITIES), min_size=1))
    corruption = draw(st.sampled_from(sorted(AMOUNTS)))
    return Condition(tuple(name for name in MODALITIES if name in some), corruption, draw(AMOUNTS[corruption]))


@given(st.lists(conditions(), unique_by=lambda condition: condition.name))
def test_a_condition_is_read_as_it_is_written(asked: list[Condition]) -> None:
    assert parse_conditions([condition.text for condition in asked]) == tuple(asked)
    assert parse_conditions([" ".join(condition.text for condition in asked)]) == tuple(asked)


def test_one_condition_has_one_name() -> None:
    (one,) = parse_conditions(["visual+text:snr=1e1"])
    assert (one.text, one.name) == ("text+visual:snr=10",) * 2
    (mask,) = parse_conditions(["audio:drop=1.0"])
    assert (mask.text, mask.name, mask) == ("audio:drop", "audio masked", mask_of("audio"))


def test_a_model_of_one_modality_has_no_mask() -> None:
    assert masks_of(("text",)) == ()
    assert [mask.name for mask in masks_of(("text", "audio"))] == ["text masked", "audio masked"]


@pytest.mark.parametrize("text", NO_CONDITIONS.split())
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--conditions: "):
        parse_conditions([text])


def test_a_condition_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="stands twice"):
        parse_conditions(["text:snr=5 audio:drop", "text:snr=5.0"])
