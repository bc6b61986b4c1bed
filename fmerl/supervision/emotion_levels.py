"""Descriptions without a language model: the drafted ones, else levels from published ratings of emotion words.

`default/emotion_levels.json` holds the ratings and says whose they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fmerl.errors import InputError
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, join_description, read_descriptions

EMOTION_LEVELS = DEFAULT_DESCRIPTIONS.parent / "emotion_levels.json"

_STEPS = ((0.7, "very"), (0.45, ""), (0.15, "moderately"))
"""Least distance from the middle of the scale of each degree; what is nearer is in the middle."""
_WORDS = {"valence": ("negative", "neutral", "positive"), "arousal": ("low", "moderate", "high")}
_ORDER = ("arousal", "valence", "dominance")


def default_descriptions(classes: Sequence[str], source: str | Path) -> dict[str, str]:
    """Descriptions of a corpus's classes where no label set brings any; names count in any case.

    Args:
        classes: C classes in label order.
        source: The corpus, to name in errors.

    Raises:
        InputError: Classes that neither file knows.
    """
    drafted, levels = read_descriptions(DEFAULT_DESCRIPTIONS), _levels()
    known = {name: drafted.get(name) or levels.get(name.casefold()) for name in classes}
    absent = [name for name, text in known.items() if text is None]
    if absent:
        files = f"neither {DEFAULT_DESCRIPTIONS.name} nor {EMOTION_LEVELS.name} has one"
        what = f"no description of {', '.join(absent)}: {files}"
        remedy = (
            "give a label set with --labels whose descriptions.json describes it (fmerl label --descriptions FILE), or "
            "take the names of the classes alone with --set anchors.description=label"
        )
        raise InputError(source, what, remedy)
    return {name: text for name, text in known.items() if text is not None}


def level(dimension: str, rating: float) -> str:
    """Phrase for a rating from -1 to 1, as "High arousal"."""
    low, middle, high = _WORDS.get(dimension, _WORDS["arousal"])
    degree = next((word for least, word in _STEPS if abs(rating) >= least), None)
    side = middle if degree is None else f"{degree} {high if rating > 0 else low}"
    return f"{side.strip()} {dimension}".capitalize()


@cache
def _levels() -> dict[str, str]:
    """Description of each word of the table."""
    table = json.loads(EMOTION_LEVELS.read_text(encoding="utf-8"))["emotions"]
    described: dict[str, str] = {}
    for name, entry in table.items():
        text = join_description({dimension: level(dimension, entry[dimension]) for dimension in _ORDER})
        described |= dict.fromkeys((name, *entry["also"]), text)
    return described
