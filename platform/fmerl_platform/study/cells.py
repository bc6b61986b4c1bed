"""A study: a control and its variants, on some corpora, with some seeds -> cells known by their fingerprints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.config import AnchorConfig, CellConfig
from fmerl.training.dataset import ConversationData


class StudyError(ValueError):
    """A study that cannot show what it claims to."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A small change of the control, and the fields it declares to change."""

    name: str
    change: Callable[[CellConfig], CellConfig]
    declares: tuple[str, ...] = ()
    """Dotted paths of `CellConfig.flatten()`; empty for the control."""
    may_be_control: bool = False
    """A value on an axis may be the control's own on some corpus, and is then no cell of that corpus."""

    def derive(self, control: CellConfig) -> CellConfig:
        """The control with this change made.

        Raises:
            StudyError: It changes other fields than it declares, leaves a declared one as it was, or gives one a value
                that the config refuses.
        """
        try:
            config = self.change(control)
        except ValueError as error:
            raise StudyError(f"variant {self.name!r}: {error}") from error
        before, after = control.flatten(), config.flatten()
        changed = {path for path in before if before[path] != after[path]}
        if changed != set(self.declares) and (changed or not self.may_be_control):
            raise StudyError(
                f"variant {self.name!r} declares {sorted(self.declares)} but changes {sorted(changed)} of its control"
            )
        return config


@dataclass(frozen=True, kw_only=True)
class CorpusInputs:
    """One corpus of a study, ready to train on."""

    data: ConversationData
    control: CellConfig
    """With the change that the study's first variant, the control, makes of the preset."""
    anchors: Mapping[AnchorConfig, NDArray[np.float32]]
    """Encoded descriptions in label order, [C, E], for every `AnchorConfig` of the study's variants."""
    supervised: tuple[str, ...] = ()
    """Modalities whose card does not rule out that their encoder was trained on the corpus's labels, unseen classes'
    among them."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training: a corpus, a variant, a seed."""

    corpus: str
    variant: str
    seed: int
    config: CellConfig
    fingerprint: str

    @property
    def name(self) -> str:
        return f"{self.corpus} · {self.variant} · seed {self.seed}"


def fingerprint(config: CellConfig, data: ConversationData, anchors: NDArray[np.float32], seed: int) -> str:
    """SHA-256 of all that decides a cell's numbers: config, contents of its data, code of `fmerl`, seed.

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
    canonical = json.dumps(recipe, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def code_digest() -> str:
    """SHA-256 over the sources of `fmerl`, by relative path."""
    root = Path(str(files("fmerl")))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def plan_cells(
    corpora: Sequence[CorpusInputs],
    variants: Sequence[Variant],
    seeds: Sequence[int],
    more: Callable[[CorpusInputs], Sequence[Variant]] = lambda inputs: (),
) -> list[Cell]:
    """Every corpus x variant x seed, the control first.

    Args:
        corpora: What the study reads.
        variants: Of every corpus, control first.
        seeds: Of every variant.
        more: Further variants of one corpus, which what is in it decides.

    Raises:
        StudyError: No or double seeds, variants or corpora, a variant that is not what it declares, or two variants
            that are one and the same configuration.
    """
    for kind, names in (
        ("seed", list(seeds)),
        ("variant", [variant.name for variant in variants]),
        ("corpus", [inputs.data.corpus for inputs in corpora]),
    ):
        if not names or len(set(names)) != len(names):
            raise StudyError(f"a study needs each {kind} once and at least one, not {names}")
    cells = []
    for inputs in corpora:
        for variant in (*variants, *more(inputs)):
            config = inputs.control if variant is variants[0] else variant.derive(inputs.control)
            if variant.may_be_control and config == inputs.control:
                continue
            anchors = inputs.anchors[config.anchors]
            cells += [
                Cell(
                    corpus=inputs.data.corpus,
                    variant=variant.name,
                    seed=seed,
                    config=config,
                    fingerprint=fingerprint(config, inputs.data, anchors, seed),
                )
                for seed in seeds
            ]
    owner: dict[str, Cell] = {}
    for cell in cells:
        twin = owner.setdefault(cell.fingerprint, cell)
        if twin is not cell:
            raise StudyError(f"variants {twin.variant!r} and {cell.variant!r} are the same on {cell.corpus}")
    return cells
