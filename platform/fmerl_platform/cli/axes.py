"""Variants that a command line makes: one field of the control set to each value of an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

from fmerl.config import DIMENSIONS, MODALITIES, CellConfig
from fmerl.errors import InputError
from fmerl_platform.study.fields import FIELDS, field_path, field_value
from fmerl_platform.study.variant import Variant

_MEMBERS = {
    "backbone.modalities": MODALITIES,
    "backbone.standardize": MODALITIES,
    "regression.dimensions": DIMENSIONS,
    "anchors.dimensions": DIMENSIONS,
}
"""Members of the fields that hold a choice of several."""


def axis_variants(axis: str) -> tuple[Variant, ...]:
    """Variants of one axis: `batch_size=8,16`, or `modalities` for all that it can be.

    A value that is the control's own makes no variant of that corpus. Sets are joined by `+`, the empty one is `none`.
    Modalities without values are the sets that can be made of the control's.

    Raises:
        InputError: No such field, no values where a field has no list of them, or values of another type.
    """
    name, separator, listed = axis.partition("=")
    path = field_path(name.strip(), "--axis")
    texts = listed.split(",") if separator else ()
    values = [field_value(path, text.strip(), "--axis") for text in texts] or _all_values(path)
    only_known = path == "backbone.modalities" and not separator
    return tuple(
        Variant(
            name=f"{_shortest(path)} = {_text(value)}",
            change=_setter(path, value, only_known=only_known),
            declares=(path,),
            skip_if_equal=True,
        )
        for value in values
    )


def _shortest(path: str) -> str:
    """The field's own name, unless another section has one like it."""
    name = path.partition(".")[2]
    return name if [other.partition(".")[2] for other in FIELDS].count(name) == 1 else path


def _all_values(path: str) -> Sequence[Any]:
    hint = FIELDS[path]
    if path in _MEMBERS:
        members = _MEMBERS[path]
        fewest = 1 if path == "backbone.modalities" else 0
        return [chosen for size in range(fewest, len(members) + 1) for chosen in combinations(members, size)]
    if hint is bool:
        return [False, True]
    if get_origin(hint) is Literal:
        return get_args(hint)
    raise InputError(f"--axis {path}", "no values", f"give some, as in {path}=A,B")


def _setter(path: str, value: Any, *, only_known: bool) -> Callable[[CellConfig], CellConfig]:
    def change(config: CellConfig) -> CellConfig:
        if only_known and not set(value) <= set(config.backbone.modalities):
            return config
        return config.with_values({path: value})

    return change


def _text(value: Any) -> str:
    return "+".join(value) or "none" if isinstance(value, tuple) else str(value)
