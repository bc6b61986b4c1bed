"""Descriptions without a language model: of every class, or an error that says where to give one."""

from __future__ import annotations

import json

import pytest

from fmerl.config import DIMENSIONS, AnchorConfig
from fmerl.errors import InputError
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, anchor_texts, parse_description, read_descriptions
from fmerl.supervision.emotion_levels import EMOTION_LEVELS, default_descriptions, level

TABLE = json.loads(EMOTION_LEVELS.read_text(encoding="utf-8"))


def test_drafted_descriptions_go_before_the_table() -> None:
    classes = ("neutral", "anger", "Boredom", "curious")
    found = default_descriptions(classes, "mine")
    assert list(found) == list(classes)
    assert found["anger"] == read_descriptions(DEFAULT_DESCRIPTIONS)["anger"]
    assert found["Boredom"] == "Arousal: Low arousal, Valence: Negative valence, Dominance: Moderately low dominance"
    assert (
        found["curious"] == "Arousal: High arousal, Valence: Moderately positive valence, Dominance: Moderate dominance"
    )
    assert anchor_texts(classes, found, AnchorConfig())[2].startswith("Boredom. Arousal: Low arousal")


def test_the_table_names_its_source_and_each_word_once() -> None:
    assert "Russell & Mehrabian (1977)" in TABLE["source"]
    words = [word for name, entry in TABLE["emotions"].items() for word in (name, *entry["also"])]
    assert len(set(words)) == len(words)
    assert all(-1 <= entry[dimension] <= 1 for entry in TABLE["emotions"].values() for dimension in DIMENSIONS)
    for text in default_descriptions(words, "all").values():
        assert set(parse_description(text)) == set(DIMENSIONS)


@pytest.mark.parametrize(
    ("rating", "arousal", "valence"),
    [
        (0.9, "Very high arousal", "Very positive valence"),
        (0.5, "High arousal", "Positive valence"),
        (0.2, "Moderately high arousal", "Moderately positive valence"),
        (0.0, "Moderate arousal", "Neutral valence"),
        (-0.45, "Low arousal", "Negative valence"),
        (-1.0, "Very low arousal", "Very negative valence"),
    ],
)
def test_levels(rating: float, arousal: str, valence: str) -> None:
    assert (level("arousal", rating), level("valence", rating)) == (arousal, valence)


def test_a_class_that_is_not_known_is_named_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"mine: no description of schadenfreude, x: .*--labels.*--descriptions"):
        default_descriptions(("joy", "schadenfreude", "x"), "mine")
