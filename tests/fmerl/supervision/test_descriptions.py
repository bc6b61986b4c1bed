"""Emotion descriptions: the paper's joined form is read and written without loss, and anything else is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.card import content_digest, read_card
from fmerl.config import DIMENSIONS, AnchorConfig
from fmerl.errors import InputError
from fmerl.supervision.descriptions import (
    DEFAULT_DESCRIPTIONS,
    anchor_texts,
    join_description,
    parse_description,
    read_descriptions,
)

JOY = "Arousal: Moderately high arousal, Valence: Positive valence, Dominance: High dominance"
MELD = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
IEMOCAP = ("happy", "sad", "neutral", "angry", "excited", "frustrated")

# Commas, colons and the headings' own words come up often, since they are what a parser trips over.
PIECES = st.sampled_from(["high", "Low", ",", ", ", ": ", ":", " ", "Arousal", "Valence", "dominance", "é"])
PHRASES = st.lists(PIECES, min_size=1, max_size=5).map("".join).filter(lambda phrase: phrase == phrase.strip())


def says_a_heading(phrase: str) -> bool:
    return any(f"{heading}: " in f"{phrase}, " for heading in ("Arousal", "Valence", "Dominance"))


PLAIN = PHRASES.filter(lambda phrase: not says_a_heading(phrase) and not phrase.endswith(","))
LEVELS = st.permutations(DIMENSIONS).flatmap(
    lambda order: st.integers(1, 3).flatmap(lambda n: st.fixed_dictionaries(dict.fromkeys(order[:n], PLAIN)))
)


@given(LEVELS)
def test_parsing_undoes_joining(phrases: dict[str, str]) -> None:
    text = join_description(phrases)
    assert parse_description(text) == phrases
    assert list(parse_description(text)) == list(phrases)


@given(st.lists(PIECES | st.sampled_from(["Arousal: ", ", Valence: ", ", Dominance: "]), max_size=8).map("".join))
def test_joining_undoes_parsing(text: str) -> None:
    try:
        phrases = parse_description(text)
    except ValueError:
        return
    assert join_description(phrases) == text


def test_papers_example() -> None:
    assert parse_description(JOY) == {
        "arousal": "Moderately high arousal",
        "valence": "Positive valence",
        "dominance": "High dominance",
    }


def test_phrase_may_hold_commas() -> None:
    phrases = parse_description("Valence: mixed, from bad to good, Arousal: high")
    assert phrases == {"valence": "mixed, from bad to good", "arousal": "high"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "does not start"),
        ("joy. " + JOY, "does not start"),
        ("arousal: high", "does not start"),
        ("Arousal: high, Valence: good, Arousal: low", "arousal is there twice"),
        ("Arousal: , Valence: good", "phrase '' of arousal is empty"),
        ("Arousal: high ", "white space"),
    ],
)
def test_other_forms_are_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_description(text)


@pytest.mark.parametrize("phrases", [{"arousal": "high, Valence: good"}, {"arousal": " high"}, {"mood": "high"}, {}])
def test_what_cannot_be_parsed_is_not_joined(phrases: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        join_description(phrases)


def test_default_descriptions_cover_both_corpora() -> None:
    descriptions = read_descriptions(DEFAULT_DESCRIPTIONS)
    assert descriptions["joy"] == JOY
    assert set(descriptions) == {*MELD, *IEMOCAP}
    for classes in (MELD, IEMOCAP):
        assert len({descriptions[name] for name in classes}) == len(classes), "two classes of a corpus look the same"


def test_default_descriptions_have_a_true_card() -> None:
    card = read_card(DEFAULT_DESCRIPTIONS.parent)
    assert card["content_digest"] == content_digest(read_descriptions(DEFAULT_DESCRIPTIONS))
    assert "large language model" in card["recipe"]["author"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "no JSON object"),
        ("{}", "no JSON object"),
        ("{", "no JSON \\("),
        (f'{{"joy": "{JOY}", "joy": "{JOY}"}}', "joy is there twice"),
        ('{"joy": ""}', "description of joy: '' does not start"),
        ('{"joy": {"arousal": "high"}}', "description of joy is no text"),
        ('{"joy": "Arousal: high, Valence: good"}', "description of joy lacks dominance"),
        (f'{{"joy": "{JOY}, Valence: good"}}', "description of joy: valence is there twice"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "descriptions.json"
    path.write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        read_descriptions(path)
    assert caught.value.where == str(path)
    assert "Arousal: <phrase>" in caught.value.remedy


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_descriptions(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, f"joy. {JOY}"),
        ({"include_name": False}, JOY),
        ({"description": "label"}, "joy"),
        ({"description": "label", "include_name": False}, "joy"),
        ({"dimensions": ("valence", "dominance")}, "joy. Valence: Positive valence, Dominance: High dominance"),
        ({"dimensions": ("dominance", "arousal")}, "joy. Arousal: Moderately high arousal, Dominance: High dominance"),
        ({"dimensions": ()}, "joy"),
    ],
)
def test_anchor_texts(changes: dict[str, Any], text: str) -> None:
    assert anchor_texts(["joy"], {"joy": JOY, "anger": "unused"}, AnchorConfig(**changes)) == [text]


def test_anchor_texts_follow_label_order() -> None:
    texts = anchor_texts(MELD, read_descriptions(DEFAULT_DESCRIPTIONS), AnchorConfig())
    assert [text.split(".")[0] for text in texts] == list(MELD)


def test_class_without_a_description_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"joy": JOY}))
    with pytest.raises(InputError, match=r"mine\.json: no description of awe, envy; add one"):
        anchor_texts(["awe", "joy", "envy"], read_descriptions(path), AnchorConfig(), path)
    assert anchor_texts(["awe", "envy"], {}, AnchorConfig(description="label")) == ["awe", "envy"]
    with pytest.raises(InputError, match="joy lacks dominance"):
        anchor_texts(["joy"], {"joy": "Arousal: high, Valence: good"}, AnchorConfig())
