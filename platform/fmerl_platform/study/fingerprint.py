"""What a cell is known by: a hash of all that decides its numbers."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.card import recipe_digest
from fmerl.config import CellConfig
from fmerl.training.dataset import ConversationData

METHOD = ("fmerl.config", "fmerl.model", "fmerl.training")
"""Packages whose code decides a cell's numbers; data count by their content."""


def fingerprint(config: CellConfig, data: ConversationData, anchors: NDArray[np.float32], seed: int) -> str:
    """SHA-256 of all that decides a cell's numbers: config, contents of its data, code of the method, seed.

    The anchors count by their numbers, not by where their encoder was found; modalities that the cell does not read
    do not count.

    Raises:
        ValueError: A config value that has no stable form, such as NaN.
    """
    modalities = config.backbone.modalities
    used = {"corpus", "vad", *(f"features.{modality}" for modality in modalities)}
    recipe: dict[str, Any] = {
        "config": {path: value for path, value in config.flatten().items() if not path.startswith("anchors.")},
        "anchors": hashlib.sha256(np.ascontiguousarray(anchors).tobytes()).hexdigest(),
        "data": {name: digest for name, digest in data.digests.items() if name in used},
        "code": code_digest(),
        "seed": seed,
    }
    return recipe_digest(recipe)


def code_digest() -> str:
    """SHA-256 of the method's code."""
    return source_digest(*METHOD)


@cache
def source_digest(*packages: str) -> str:
    """SHA-256 over the sources of packages, by module path."""
    digest = hashlib.sha256()
    for package in packages:
        root = Path(str(files(import_module(package))))
        for path in sorted(root.rglob("*.py")):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
