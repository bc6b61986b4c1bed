"""Fingerprint of a cell: a hash of all that decides its numbers."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fmerl.card import recipe_digest
from fmerl.config import CellConfig, SystemName
from fmerl.finetuning.config import SystemChoice
from fmerl.finetuning.procedures import PROCEDURES
from fmerl.finetuning.systems import SYSTEMS as TEXT_SYSTEMS
from fmerl.model import SYSTEMS
from fmerl.training.dataset import ConversationData

METHOD = ("model", "training")
"""Packages of `fmerl` whose code decides a cell's numbers; configuration and data count by their content."""
_TUNING = Path("finetuning")
_NOT_TUNING = ("finetuning/systems.py", "finetuning/config.py")
_REGISTRY = "model/__init__.py"
"""Registry of systems; a cell counts only its own system's class in it, so a new system re-trains no other."""


def fingerprint(config: CellConfig, data: ConversationData, anchors: NDArray[np.float32], seed: int) -> str:
    """SHA-256 of all that decides a cell's numbers: config, contents of its data, code of its system, seed.

    The anchors count by their numbers, not by where their encoder was found; modalities that the cell does not read
    do not count.

    Raises:
        ValueError: A config value that has no stable form, such as NaN.
    """
    used = {"corpus", "vad", *(f"features.{table}" for table in config.tables)}
    recipe = {
        "config": {path: value for path, value in config.flatten().items() if not path.startswith("anchors.")},
        "anchors": hashlib.sha256(np.ascontiguousarray(anchors).tobytes()).hexdigest(),
        "data": {name: digest for name, digest in data.digests.items() if name in used},
        "code": system_digest(config.system.name),
        "seed": seed,
    }
    return recipe_digest(recipe)


@cache
def system_digest(system: SystemName) -> str:
    """SHA-256 of the code that trains a system: the method without the modules that only other systems have."""
    sources = method_sources()
    own = _imported(_module_of(system), sources)
    others = {_module_of(name) for name in SYSTEMS}
    code = {path: source for path, source in sources.items() if path != _REGISTRY and path not in others - own}
    return _digest({**code, _REGISTRY: SYSTEMS[system].__qualname__.encode()})


@cache
def code_digest() -> str:
    """SHA-256 of the whole method's code."""
    return _digest(method_sources())


@cache
def source_digest(package: str) -> str:
    """SHA-256 over the sources of a package."""
    return _digest(_sources(Path(str(files(package)))))


@cache
def tuning_digest(system: SystemChoice) -> str:
    """SHA-256 of the code that tunes a system: what its module and the one that tunes it import of the method.

    Settings count by their values, and the registry by the system's class.
    """
    root = Path(str(files("fmerl"))) / _TUNING
    own = {f"{_TUNING}/{path}": source for path, source in _sources(root).items()}
    sources = {path: source for path, source in (method_sources() | own).items() if path not in _NOT_TUNING}
    kind = TEXT_SYSTEMS[system]
    used = _imported(_path_of(PROCEDURES[system].tune), sources) | _imported(_path_of(kind), sources)
    return _digest({**{path: sources[path] for path in used}, _NOT_TUNING[0]: kind.__qualname__.encode()})


def method_sources() -> dict[str, bytes]:
    """Sources of the method's modules by path below `fmerl`."""
    root = Path(str(files("fmerl")))
    return {f"{package}/{path}": source for package in METHOD for path, source in _sources(root / package).items()}


def _sources(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.py"))}


def _module_of(system: SystemName) -> str:
    return _path_of(SYSTEMS[system])


def _path_of(kind: type | Callable[..., object]) -> str:
    return kind.__module__.removeprefix("fmerl.").replace(".", "/") + ".py"


def _imported(path: str, sources: Mapping[str, bytes]) -> set[str]:
    """Paths of a module and of the method's modules that it imports, directly or not."""
    found, waiting = set(), [path]
    while waiting:
        here = waiting.pop()
        if here in found or here not in sources:
            continue
        found.add(here)
        for node in ast.walk(ast.parse(sources[here])):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fmerl."):
                waiting.append((node.module or "").removeprefix("fmerl.").replace(".", "/") + ".py")
    return found


def _digest(sources: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path, source in sorted(sources.items()):
        digest.update(path.encode() + b"\0" + source + b"\0")
    return digest.hexdigest()
