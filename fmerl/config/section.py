"""Base of every part of a configuration: values of the types it declares, checked when it is built."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints


class Section:
    """A frozen dataclass whose values have the declared types; whole numbers become floats where a float is meant.

    Raises:
        ValueError: A value of another type, NaN or infinity, or none of a field's choices.
    """

    def __post_init__(self) -> None:
        hints = hints_of(type(self))  # type: ignore[arg-type]
        for item in fields(self):  # type: ignore[arg-type]
            value = checked(item.name, getattr(self, item.name), hints[item.name])
            object.__setattr__(self, item.name, value)


@cache
def hints_of(section: Hashable) -> dict[str, Any]:
    """Type of every field by name."""
    return get_type_hints(section)


def checked(name: str, value: Any, hint: Any) -> Any:
    """A field's value as its type has it: a list becomes a tuple, a whole number a float where a float is meant.

    Raises:
        ValueError: As `Section`.
    """
    if get_origin(hint) is Literal:
        if not isinstance(value, str) or value not in get_args(hint):
            raise ValueError(f"{name} must be one of {', '.join(get_args(hint))}, not {value!r}")
    elif get_origin(hint) is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name} must be a list of names, not {value!r}")
        return tuple(value)
    elif hint is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, not {value!r}")
        return float(value)
    elif hint is int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**31:
            raise ValueError(f"{name} must be a whole number below 2^31, not {value!r}")
    elif hint in (bool, str) and not isinstance(value, hint):
        raise ValueError(f"{name} must be {'true or false' if hint is bool else 'a text'}, not {value!r}")
    return value


def check_positive(name: str, value: float) -> None:
    """Raise ValueError for a value that is not above 0."""
    if value <= 0:
        raise ValueError(f"{name} must be positive, not {value}")


def check_subset(name: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    """Raise ValueError for values that are not distinct or not allowed."""
    if len(set(values)) != len(values) or not set(values) <= set(allowed):
        raise ValueError(f"{name} must be distinct and among {', '.join(allowed)}, not {values!r}")


def leaf_types(section: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Type of every field of a section and of the sections in it, by dotted path."""
    for name, hint in hints_of(section).items():
        if is_dataclass(hint) and isinstance(hint, type):
            yield from leaf_types(hint, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint


def with_leaves(part: Any, values: Mapping[str, Any]) -> Any:
    """A copy of a section with fields replaced, by dotted path.

    Raises:
        ValueError: An unknown field, or a value its section refuses.
    """
    return _replaced(part, {tuple(path.split(".")): value for path, value in values.items()})


def _replaced(part: Any, values: Mapping[tuple[str, ...], Any], before: tuple[str, ...] = ()) -> Any:
    known = {item.name for item in fields(part)}
    by_name: dict[str, dict[tuple[str, ...], Any]] = {}
    for path, value in values.items():
        if path[0] not in known or is_dataclass(getattr(part, path[0])) == (len(path) == 1):
            raise ValueError(f"no such field: {'.'.join((*before, *path))}")
        by_name.setdefault(path[0], {})[path[1:]] = value
    changes = {
        name: inner[()] if () in inner else _replaced(getattr(part, name), inner, (*before, name))
        for name, inner in by_name.items()
    }
    try:
        return replace(part, **changes)
    except ValueError as error:
        raise ValueError(": ".join(filter(None, (".".join(before), str(error))))) from error
