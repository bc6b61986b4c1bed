"""Packages that only an extra of this project brings, imported when they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from fmerl.errors import InputError


def optional_module(name: str, extra: str) -> ModuleType:
    """Import a module.

    Args:
        name: The module.
        extra: The extra that brings it, which the error says how to install.

    Raises:
        InputError: It is not installed.

    Example:
        >>> opensmile = optional_module("opensmile", "audio")
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(name, f"cannot be imported ({error})", f"pip install 'fmerl[{extra}]'") from error
