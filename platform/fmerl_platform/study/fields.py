"""Configuration fields by name, and their values from text as a command line gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_origin

from fmerl.config import CellConfig, field_types
from fmerl.errors import InputError

FIELDS = field_types()
"""Type of every configuration field by dotted path."""


def field_path(name: str, option: str) -> str:
    """Dotted path of a field named by it, or by what follows its section where no other section has the like.

    Raises:
        InputError: No such field, or several.
    """
    found = [path for path in FIELDS if name in (path, path.partition(".")[2])]
    if len(found) != 1:
        what = f"is each of {', '.join(found)}" if found else "is no configuration field"
        raise InputError(f"{option} {name}", what, "name one as section.field, as in fmerl/config/cell.py")
    return found[0]


def field_value(path: str, text: str, option: str) -> Any:
    """A field's value from text: sets are joined by `+`, the empty one is `none`; InputError for another type."""
    hint = FIELDS[path]
    try:
        if get_origin(hint) is tuple:
            return () if text == "none" else tuple(text.split("+"))
        if hint is bool:
            return {"false": False, "true": True}[text.lower()]
        return hint(text) if hint in (int, float) else text
    except (ValueError, KeyError):
        raise InputError(f"{option} {path}", f"{text!r} is no {hint.__name__}", "give numbers, true or false") from None


def with_fields(config: CellConfig, assignments: Iterable[str]) -> CellConfig:
    """The configuration with fields set, each given as `FIELD=VALUE`.

    Raises:
        InputError: No such field, one set twice, or a value that it refuses.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise InputError(f"--set {assignment}", "no value", "give FIELD=VALUE, as in training.batch_size=8")
        path = field_path(name.strip(), "--set")
        if path in values:
            raise InputError(f"--set {path}", "stands twice", "give one value")
        values[path] = field_value(path, text.strip(), "--set")
    try:
        return config.with_values(values)
    except ValueError as error:
        raise InputError(f"--set {' '.join(assignments)}", str(error), "give another value") from error
