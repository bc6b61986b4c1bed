"""Variants of a tuning study: systems x inputs, or one of them with a field set to each value of an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from fmerl.config.section import leaf_types
from fmerl.errors import InputError
from fmerl.finetuning.config import InputChoice, SystemChoice, TuningConfig
from fmerl_platform.study.fields import assigned, field_path, field_value

NAMES: dict[SystemChoice, str] = {"classifier": "classifier", "compm": "CoMPM", "cled": "CLED", "mplp": "MPLP"}
"""Names of the systems in tables, as the published ones have them."""
_OPTIONS = ("encoder", "system", "workers", "threads")
FIELDS = {path: hint for path, hint in leaf_types(TuningConfig) if path not in _OPTIONS}
"""Type of every field that can be set or varied, by path."""
_WHERE = "fmerl/finetuning/config.py"


def tuning_variants(
    systems: Sequence[SystemChoice],
    inputs: Sequence[InputChoice] | None,
    given: Mapping[str, Any],
    settings: Sequence[str] = (),
    axes: Sequence[str] = (),
) -> dict[str, TuningConfig]:
    """Settings by name of variant, the control first.

    Args:
        systems: Systems to compare.
        inputs: Inputs to compare; None is each system's own.
        given: Values of fields, in place of those of the systems' papers.
        settings: `FIELD=VALUE`, over all others; a system's own fields are for that system.
        axes: Each `FIELD=VALUE,VALUE`: every value is a variant of the only system and input.

    Raises:
        InputError: Something named twice, a field that nothing reads, or a value that it refuses.
    """
    for option, values in (("--system", systems), ("--input", inputs)):
        if values is not None and (not values or len(set(values)) != len(values)):
            raise InputError(option, f"not each once in {list(values)}", "name each once, and at least one")
    fixed = assigned(settings, FIELDS, _WHERE)
    for path in fixed:
        _check_read(path, systems, "--set")
    variants = {
        _name(systems, inputs, system, choice): _settings(system, choice, given, fixed)
        for system in systems
        for choice in inputs or (None,)
    }
    found = dict(variants)
    for axis in axes:
        found |= _along(axis, systems, variants)
    return found


def _name(
    systems: Sequence[SystemChoice], inputs: Sequence[InputChoice] | None, system: SystemChoice, choice: str | None
) -> str:
    if tuple(systems) == ("classifier",):
        return choice or TuningConfig.of_system("classifier").input
    return f"{NAMES[system]} · {choice}" if inputs is not None and len(inputs) > 1 else NAMES[system]


def _settings(
    system: SystemChoice, choice: InputChoice | None, given: Mapping[str, Any], fixed: Mapping[str, Any]
) -> TuningConfig:
    own = {} if choice is None else {"input": choice}
    try:
        config = TuningConfig.of_system(system, **given, **own)
    except ValueError as error:
        raise InputError("arguments", str(error), "see --help") from error
    return _changed(config, {path: value for path, value in fixed.items() if _reads(system, path)}, "--set")


def _along(axis: str, systems: Sequence[SystemChoice], variants: Mapping[str, TuningConfig]) -> dict[str, TuningConfig]:
    name, _, listed = axis.partition("=")
    path = field_path(name.strip(), "--axis", FIELDS, _WHERE)
    _check_read(path, systems, "--axis")
    if len(variants) > 1:
        raise InputError(f"--axis {path}", f"of {len(variants)} variants", "give one --system and at most one --input")
    (control,) = variants.values()
    found = {}
    values = [field_value(path, text.strip(), "--axis", FIELDS) for text in listed.split(",") if text.strip()]
    for value in values or _all_values(path):
        config = _changed(control, {path: value}, "--axis")
        if config != control:
            found[f"{path} = {value}"] = config
    return found


def _changed(config: TuningConfig, values: Mapping[str, Any], option: str) -> TuningConfig:
    try:
        return config.with_values(values)
    except ValueError as error:
        raise InputError(option, str(error), "give another value") from error


def _all_values(path: str) -> Sequence[Any]:
    hint = FIELDS[path]
    if hint is bool:
        return (False, True)
    if get_origin(hint) is not None:
        return get_args(hint)
    raise InputError(f"--axis {path}", "no values", f"give some, as in {path}=A,B")


def _check_read(path: str, systems: Sequence[SystemChoice], option: str) -> None:
    if not any(_reads(system, path) for system in systems):
        raise InputError(f"{option} {path}", f"{' and '.join(systems)} have no such field", "name --system that has it")


def _reads(system: SystemChoice, path: str) -> bool:
    section = path.partition(".")[0]
    return "." not in path or section == system
