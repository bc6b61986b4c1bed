"""Licences of the parts that a model was made with, as far as their own files state them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path
from typing import Any

from fmerl.features.encoder import parts_of

_NOT_STATED = "not stated in its files; see where it was published"
_OPENSMILE = "audEERING Research License Agreement: no commercial use of the software or of models made with it"
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*\n", re.DOTALL)
_LICENCE = re.compile(r"^license:\s*(\S.*?)\s*$", re.MULTILINE)


def licences_of(corpus: str, encoders: Mapping[str, str]) -> dict[str, str]:
    """Licence of the code, of the corpus and of every encoder.

    Args:
        corpus: Name of the corpus, whose folder states none.
        encoders: Encoder of each role, such as text or anchors.
    """
    parts = {"code": "MIT", f"corpus {corpus}": _NOT_STATED}
    return parts | {f"{role} encoder {name}": _licence(name) for role, name in encoders.items()}


def encoders_of(recipes: Mapping[str, Mapping[str, Any]], anchors: str) -> dict[str, str]:
    """Encoders that recipes name, by modality, and that of the anchors."""
    named = {
        f"{modality} {name}".strip(): str(part["encoder"])
        for modality, recipe in recipes.items()
        for name, part in parts_of(recipe)
        if "encoder" in part
    }
    return {**named, "anchor": anchors}


def _licence(encoder: str) -> str:
    if encoder == "opensmile":
        return _OPENSMILE
    if encoder.startswith("package:"):
        return _of_package(encoder.removeprefix("package:").partition(".")[0])
    page = Path(encoder) / "README.md"
    front = _FRONT_MATTER.match(page.read_text(encoding="utf-8", errors="replace")) if page.is_file() else None
    stated = _LICENCE.search(front[1]) if front else None
    return stated[1] if stated else _NOT_STATED


def _of_package(module: str) -> str:
    try:
        about = metadata(packages_distributions()[module][0])
    except (KeyError, PackageNotFoundError):
        return _NOT_STATED
    stated = [about[name] for name in ("License-Expression", "License") if name in about]
    return str(stated[0] if stated else _NOT_STATED).strip().partition("\n")[0]
