"""Paraphrases of emotion classes, which MPLP's decoder learns to say.

The paper takes the glosses of SentiWordNet 3.0, which are not the project's to hand on; these are words of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fmerl.errors import InputError
from fmerl.user_text import read_json

GLOSSES: dict[str, str] = {
    "neutral": "calm and without any strong feeling",
    "joy": "full of gladness because something good has happened",
    "joyful": "full of gladness because something good has happened",
    "happy": "glad and content with how things are",
    "happiness": "glad and content with how things are",
    "excited": "eager and stirred up by something to look forward to",
    "surprise": "taken aback by something that was not expected",
    "surprised": "taken aback by something that was not expected",
    "sadness": "downcast because of a loss or a disappointment",
    "sad": "downcast because of a loss or a disappointment",
    "anger": "strongly displeased and ready to fight back against a wrong",
    "angry": "strongly displeased and ready to fight back against a wrong",
    "mad": "strongly displeased and ready to fight back against a wrong",
    "frustrated": "worn out and annoyed because things do not work out",
    "disgust": "repelled by something that is found nasty or wrong",
    "disgusted": "repelled by something that is found nasty or wrong",
    "fear": "worried that something bad is about to happen",
    "fearful": "worried that something bad is about to happen",
    "scared": "worried that something bad is about to happen",
    "peaceful": "at rest and free of worry",
    "powerful": "sure of being strong and able to get things done",
}
"""Gloss of a class; one that is not here is paraphrased by its name alone."""


def paraphrases_of(classes: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """What follows `S is` for each class: its name and its gloss.

    Args:
        classes: The corpus's.
        own: Glosses to use instead, each as CLASS=words.

    Raises:
        InputError: A gloss of a class that the corpus does not have.
    """
    given = {name.strip(): words.strip() for name, _, words in (text.partition("=") for text in own)}
    if unknown := [name for name in given if name not in classes]:
        raise InputError("mplp.paraphrases", f"{unknown[0]} is no class", f"name one of {', '.join(classes)}")
    glosses = {name: given.get(name, GLOSSES.get(name.lower())) for name in classes}
    return tuple(name if gloss is None else f"{name} , {gloss}" for name, gloss in glosses.items())


def read_paraphrases(path: Path) -> tuple[str, ...]:
    """Glosses of a JSON object, each as CLASS=words.

    Raises:
        InputError: No such file, or no object of texts that are not empty.
    """
    remedy = 'give {"CLASS": "words", ...}'
    found = read_json(path, remedy)
    if not isinstance(found, dict):
        raise InputError(path, "no JSON object", remedy)
    for name, words in found.items():
        if not isinstance(words, str) or not words.strip() or "=" in name:
            raise InputError(path, f"{name!r} has no words", remedy)
    return tuple(f"{name}={words}" for name, words in found.items())
