"""The discrete form of emotion: each class described by levels of arousal, valence and dominance (Section 5, Eq. 4).

A description has the paper's joined form, "Arousal: <phrase>, Valence: <phrase>, Dominance: <phrase>".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fmerl.config import DIMENSIONS, AnchorConfig
from fmerl.errors import InputError
from fmerl.user_text import read_json

DEFAULT_DESCRIPTIONS = Path(__file__).parent / "default" / "descriptions.json"
"""Descriptions of MELD's and IEMOCAP's classes; `card.json` beside them says who wrote them."""

_FORM = "Arousal: <phrase>, Valence: <phrase>, Dominance: <phrase>"
_HEADING = re.compile(rf"(?:^|, )({'|'.join(name.capitalize() for name in DIMENSIONS)}): ")


def parse_description(text: str) -> dict[str, str]:
    """The phrase of each dimension that a description names, in its order; a phrase may hold commas.

    Raises:
        ValueError: Text before the first dimension, a dimension named twice, or an empty phrase.
    """
    before, *parts = _HEADING.split(text)
    if before or not parts:
        raise ValueError(f"{text!r} does not start with a dimension")
    names, phrases = [name.lower() for name in parts[::2]], parts[1::2]
    for name, phrase in zip(names, phrases, strict=True):
        if names.count(name) > 1:
            raise ValueError(f"{name} is there twice")
        if not phrase or phrase != phrase.strip():
            raise ValueError(f"the phrase {phrase!r} of {name} is empty or has white space around it")
    return dict(zip(names, phrases, strict=True))


def join_description(phrases: Mapping[str, str]) -> str:
    """The description that `parse_description` takes apart again into `phrases` (dimension to phrase).

    Raises:
        ValueError: Phrases that it could not take apart.
    """
    text = ", ".join(f"{name.capitalize()}: {phrase}" for name, phrase in phrases.items())
    if parse_description(text) != phrases:
        raise ValueError(f"a phrase of {text!r} holds a dimension's heading")
    return text


def read_descriptions(path: str | Path) -> dict[str, str]:
    """Emotion to description, from a JSON object.

    Raises:
        InputError: No such file, no such object, an emotion given twice, or a description that lacks a dimension,
            repeats one or is of another form.
    """
    remedy = f'write {{"<emotion>": "{_FORM}"}}'
    descriptions = read_json(Path(path), remedy)
    if not isinstance(descriptions, dict) or not descriptions:
        raise InputError(path, "no JSON object with descriptions", remedy)
    for emotion, text in descriptions.items():
        _phrases(emotion, text, DIMENSIONS, path)
    return descriptions


def check_described(classes: Sequence[str], descriptions: Mapping[str, str], source: str | Path) -> None:
    """Raise InputError that names `source` unless every class has a description."""
    absent = [name for name in classes if name not in descriptions]
    if absent:
        raise InputError(source, f"no description of {', '.join(absent)}", f"add one for each, as {_FORM}")


def anchor_texts(
    classes: Sequence[str],
    descriptions: Mapping[str, str],
    config: AnchorConfig,
    source: str | Path = "emotion descriptions",
) -> list[str]:
    """Texts that the emotion encoder reads, one per class: "<class>. Arousal: …, Valence: …, Dominance: …".

    Args:
        classes: C classes in label order.
        descriptions: Emotion to description; bare labels need none.
        config: Parts to keep.
        source: The descriptions' file, to name in errors.

    Raises:
        InputError: A class without a description, or one that lacks a dimension that `config` keeps.
    """
    if config.description == "label":
        return list(classes)
    check_described(classes, descriptions, source)
    return [_anchor_text(name, descriptions[name], config, source) for name in classes]


def _anchor_text(emotion: str, description: str, config: AnchorConfig, source: str | Path) -> str:
    phrases = _phrases(emotion, description, config.dimensions, source)
    parts = ([emotion] if config.include_name else []) + ([join_description(phrases)] if phrases else [])
    return ". ".join(parts)


def _phrases(emotion: str, text: Any, dimensions: Sequence[str], source: str | Path) -> dict[str, str]:
    """Phrases of a description for `dimensions`, in the description's order."""
    remedy = f"write it as {_FORM}"
    if not isinstance(text, str):
        raise InputError(source, f"the description of {emotion} is no text", remedy)
    try:
        phrases = parse_description(text)
    except ValueError as error:
        raise InputError(source, f"the description of {emotion}: {error}", remedy) from error
    absent = [name for name in dimensions if name not in phrases]
    if absent:
        raise InputError(source, f"the description of {emotion} lacks {', '.join(absent)}", remedy)
    return {name: phrase for name, phrase in phrases.items() if name in dimensions}
