"""Named templates of prompts, from JSON files of a user's own; the paper's are the default.

A file holds any of `score`, `joint`, `description`, `classification` and `system`, and a `name` unless it has the
file's. What it does not hold is as in the paper.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fmerl.config import DIMENSIONS
from fmerl.errors import InputError
from fmerl.supervision.classification import TASK
from fmerl.supervision.prompts import DESCRIPTION_TEMPLATE, JOINT_TEMPLATE, SCORE_TEMPLATE, PromptConfig
from fmerl.user_text import read_json

PAPER = "paper"
"""Name of the default templates."""

_FORM = '{"score": "Rate the {dimension} of: {utterance} ({low} to {high})"}'
_NAME = re.compile(r"[\w .+-]+")


@dataclass(frozen=True, kw_only=True)
class Templates:
    """Templates under one name; fields as of `PromptConfig`."""

    name: str = PAPER
    score: str = SCORE_TEMPLATE
    joint: str = JOINT_TEMPLATE
    description: str = DESCRIPTION_TEMPLATE
    classification: str = TASK
    """What a language-model baseline is asked; `{classes}` must stand in it."""
    system: str | None = None
    """System message, sent first; None sends none."""

    def prompts(
        self, scale: tuple[float, float], questions: str = "three", dimensions: tuple[str, ...] = DIMENSIONS
    ) -> PromptConfig:
        """Queries for scores and descriptions."""
        return PromptConfig(
            questions="one" if questions == "one" else "three",
            score_template=self.score,
            joint_template=self.joint,
            description_template=self.description,
            system=self.system,
            scale=scale,
            dimensions=dimensions,
        )


PAPERS = Templates()


def read_templates(given: Sequence[str]) -> tuple[Templates, ...]:
    """Templates of these files, in their order; `paper` is the default ones.

    Raises:
        InputError: A file that cannot be read, has other fields, a template that cannot be used, or two of one name.
    """
    found = tuple(PAPERS if name == PAPER else _read(Path(name)) for name in given)
    names = [templates.name for templates in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError("--prompt", f"two templates are called {name}", "give one of the files a name of its own")
    return found


def _read(path: Path) -> Templates:
    fields = read_json(path, f"write {_FORM}, or give --prompt {PAPER}")
    allowed = Templates.__dataclass_fields__
    if not isinstance(fields, dict) or not fields or not fields.keys() <= allowed.keys():
        raise InputError(path, f"no object with some of {', '.join(allowed)}", f"write {_FORM}")
    wrong = [name for name, value in fields.items() if not isinstance(value, str) or not value.strip()]
    if wrong:
        raise InputError(path, f"{wrong[0]} is no text", f"write {_FORM}")
    templates = Templates(**{"name": path.stem, **fields})
    if not _NAME.fullmatch(templates.name) or templates.name == PAPER or templates.name.startswith("."):
        raise InputError(path, f"{templates.name!r} cannot be a name", "name it by letters, digits, spaces, . + and -")
    if "{classes}" not in templates.classification:
        raise InputError(path, "{classes} is not in classification", "put the placeholder where the classes go")
    try:
        templates.prompts((0.0, 5.0))
    except InputError as error:
        raise InputError(path, f"{error.where}: {error.what}", error.remedy) from None
    return templates
