"""Configuration fields by name, and their values from text as a command line gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_origin

from fmerl.config import CellConfig, field_types
from fmerl.errors import InputError

FIELDS = field_types()
"""Type of every configuration field by dotted path."""
_WHERE = "fmerl/config/cell.py"


def field_path(name: str, option: str, known: Mapping[str, Any] = FIELDS, where: str = _WHERE) -> str:
    """Dotted path of a field named by it, or by what follows its section where no other section has the like.

    Args:
        name: As the user gives it.
        option: For errors.
        known: Type of every field by path.
        where: File that lists the fields, for errors.

    Raises:
        InputError: No such field, or several.
    """
    found = [path for path in known if name in (path, path.partition(".")[2])]
    if len(found) != 1:
        what = f"is each of {', '.join(found)}" if found else "is no configuration field"
        raise InputError(f"{option} {name}", what, f"name one as section.field, as in {where}")
    return found[0]


def field_value(path: str, text: str, option: str, known: Mapping[str, Any] = FIELDS) -> Any:
    """A field's value from text: sets are joined by `+`, the empty one is `none`; InputError for another type."""
    hint = known[path]
    try:
        if get_origin(hint) is tuple:
            return () if text == "none" else tuple(text.split("+"))
        if hint is bool:
            return {"false": False, "true": True}[text.lower()]
        return hint(text) if hint in (int, float) else text
    except (ValueError, KeyError):
        raise InputError(f"{option} {path}", f"{text!r} is no {hint.__name__}", "give numbers, true or false") from None


def assigned(assignments: Iterable[str], known: Mapping[str, Any] = FIELDS, where: str = _WHERE) -> dict[str, Any]:
    """Values by path, each given as `FIELD=VALUE`.

    Raises:
        InputError: No such field, one set twice, or a value of another type.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise InputError(f"--set {assignment}", "no value", "give FIELD=VALUE, as in batch_size=8")
        path = field_path(name.strip(), "--set", known, where)
        if path in values:
            raise InputError(f"--set {path}", "stands twice", "give one value")
        values[path] = field_value(path, text.strip(), "--set", known)
    return values


def with_fields(config: CellConfig, assignments: Iterable[str]) -> CellConfig:
    """The configuration with fields set, each given as `FIELD=VALUE`.

    Raises:
        InputError: See `assigned`; or a value that the configuration refuses.
    """
    assignments = tuple(assignments)
    try:
        return config.with_values(assigned(assignments))
    except ValueError as error:
        raise InputError(f"--set {' '.join(assignments)}", str(error), "give another value") from error
