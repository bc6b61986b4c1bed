"""Prompts: the paper's two queries to a language model (Sections 4 and 5), and their settings."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Literal

from fmerl.card import recipe_digest
from fmerl.config import DIMENSIONS
from fmerl.errors import InputError

SCORE_TEMPLATE = (
    "In the field of emotion recognition, score this utterance in the dimension of {dimension} from {low} to {high}. "
    "The utterance is : {utterance}. Hence, the score is:"
)
"""The paper's query for Eq. 1; on the scale from 0 to 5 it is the paper's, word for word."""
JOINT_TEMPLATE = (
    "In the field of emotion recognition, score this utterance in the dimensions of {dimensions} from {low} to {high} "
    "each. The utterance is : {utterance}. Hence, the scores of {dimensions} are:"
)
"""One query for all dimensions, after the wording of the paper's."""
DESCRIPTION_TEMPLATE = (
    "Use a brief phrase to describe the level of an emotion of {emotion} in the dimension of {dimension}."
)
"""The paper's query for Eq. 4, word for word."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """Queries and the scale they ask for.

    In a template, `{dimension}` with `{utterance}` or `{emotion}` must stand, in the joint one `{dimensions}` with
    `{utterance}`; `{low}` and `{high}` may. Braces around anything but one word are plain text.

    Example:
        >>> PromptConfig().score("valence", "Oh my God!")[0]["content"]
        'In the field of emotion recognition, score this utterance in the dimension of valence from 0 to 5. \
The utterance is : Oh my God!. Hence, the score is:'

    Raises:
        InputError: A template without a needed placeholder or with an unknown one, an empty scale, or dimensions
            that are not distinct ones of valence, arousal and dominance.
    """

    questions: Literal["three", "one"] = "three"
    """One query for each dimension, as in the paper, or one for all of them."""
    score_template: str = SCORE_TEMPLATE
    joint_template: str = JOINT_TEMPLATE
    description_template: str = DESCRIPTION_TEMPLATE
    system: str | None = None
    """System message, sent first; None sends none."""
    scale: tuple[float, float] = (0.0, 5.0)
    """Lowest and highest score."""
    dimensions: tuple[str, ...] = DIMENSIONS
    """Dimensions that are asked for."""

    def __post_init__(self) -> None:
        _check_template("score template", self.score_template, {"dimension", "utterance"}, {"low", "high"})
        _check_template("joint template", self.joint_template, {"dimensions", "utterance"}, {"low", "high"})
        _check_template("description template", self.description_template, {"dimension", "emotion"}, {"low", "high"})
        low, high = map(float, self.scale)
        object.__setattr__(self, "scale", (low, high))  # 0 and 0.0 are one scale, with one digest
        if not 0 < high - low < math.inf:
            what = f"{low:g} to {high:g} is empty or endless"
            raise InputError("scale", what, "give the lowest score, then the highest")
        known = set(self.dimensions) <= set(DIMENSIONS)
        if not self.dimensions or not known or len(set(self.dimensions)) < len(self.dimensions):
            what = f"{', '.join(self.dimensions) or 'none'} are not distinct dimensions"
            raise InputError("dimensions", what, f"name some of {', '.join(DIMENSIONS)}")

    def score(self, dimension: str, utterance: str) -> list[dict[str, str]]:
        """Chat messages that ask for one utterance's score in one dimension."""
        # What is the same for every utterance comes first, so that an endpoint can cache it.
        return self._messages(self.score_template, dimension=dimension, utterance=utterance)

    def joint_scores(self, utterance: str) -> list[dict[str, str]]:
        """Chat messages that ask for one utterance's scores in all dimensions."""
        *others, last = self.dimensions
        named = f"{', '.join(others)} and {last}" if others else last
        return self._messages(self.joint_template, dimensions=named, utterance=utterance)

    def description(self, dimension: str, emotion: str) -> list[dict[str, str]]:
        """Chat messages that ask for one emotion's description in one dimension."""
        return self._messages(self.description_template, dimension=dimension, emotion=emotion)

    def digest(self) -> str:
        """SHA-256 of everything that decides the prompts."""
        return recipe_digest(asdict(self))

    def _messages(self, template: str, **values: str) -> list[dict[str, str]]:
        low, high = self.scale
        filled = {**values, "low": f"{low:g}", "high": f"{high:g}"}
        # One pass: braces inside an utterance are never taken for placeholders.
        content = _PLACEHOLDER.sub(lambda match: filled[match[1]], template)
        first = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*first, {"role": "user", "content": content}]


def _check_template(name: str, template: str, needed: set[str], allowed: set[str]) -> None:
    found = set(_PLACEHOLDER.findall(template))
    if needed - found:
        absent = " and ".join(f"{{{word}}}" for word in sorted(needed - found))
        raise InputError(name, f"{absent} is not in it", "put the placeholder where the value goes")
    unknown = sorted(found - needed - allowed)
    if unknown:
        raise InputError(name, f"unknown placeholder {{{unknown[0]}}}", f"use {', '.join(sorted(needed | allowed))}")
