"""A study as a user defines it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fmerl.conditions.condition import parse_conditions
from fmerl.errors import InputError
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.variant import Variant

if TYPE_CHECKING:
    from fmerl_platform.study.hold_out import HoldOut

SYNTHETIC = ("synthetic-iemocap", "synthetic-meld")
"""Corpora that need no data."""
_NAME = re.compile(r"\w[\w .+=-]{0,99}")
_LONGEST_NAME = 200
"""In bytes; a file takes 255, and files are named after studies."""


@dataclass(frozen=True)
class Study:
    """Variants of a control, on some corpora, with some seeds.

    >>> Study("mine", corpora=["synthetic-meld"], seeds=range(3)).name
    'mine'

    Raises:
        InputError: A name that cannot be a folder, a seed that stands twice, or a corpus that is not there.
    """

    name: str
    """Name of the MLflow experiment and of the report's folder."""
    corpora: Sequence[str] = SYNTHETIC
    """Names of synthetic corpora, or folders."""
    variants: Sequence[Variant] = PAPER
    """Variants to compare, control first."""
    seeds: Sequence[int] = range(5)
    inputs: InputOptions = field(default_factory=InputOptions)
    hold_out: HoldOut | None = None
    """Classes that no cell of the study learns."""
    folds: str | None = None
    """Test every utterance once, in folds: `session`, `speaker`, a number or a CSV (`fmerl.folds.splits.folds_of`)."""
    conditions: Sequence[str] = ()
    """Conditions to test every cell under besides each modality masked, such as `audio:snr=10`
    (`fmerl.conditions.condition`)."""

    def __post_init__(self) -> None:
        check_study_name(self.name)
        if parse_conditions(self.conditions) and self.hold_out is not None:
            raise InputError("--conditions", "no report of a zero-shot study shows them", "leave one out")
        if len(set(self.seeds)) != len(self.seeds):
            raise InputError("--seeds", f"a seed stands twice in {list(self.seeds)}", "name each once")
        if self.folds is not None:
            if self.hold_out is not None:
                raise InputError("--folds", "classes are held out on the corpus's own test split", "leave one out")
            from fmerl.folds.splits import check_scheme  # PyArrow starts slowly

            check_scheme(self.folds)
        for name in self.corpora:
            check_corpus(name, self.inputs.features)


def check_corpus(name: str, features: Path | None) -> None:
    """Refuse a corpus that is neither synthetic nor a folder with feature tables beside it."""
    check_corpus_name(name)
    if name not in SYNTHETIC and features is None:
        raise InputError(name, "a corpus folder needs feature tables", "give their folder with --features")


def check_corpus_name(name: str) -> None:
    """Refuse a name that is neither a synthetic corpus's nor a folder's."""
    if name not in SYNTHETIC and not Path(name).is_dir():
        what = "neither a folder nor a synthetic corpus"
        raise InputError(name, what, f"give a folder or one of {', '.join(SYNTHETIC)}")


def check_study_name(name: str) -> None:
    """Refuse a name that cannot be a folder, a file and part of MLflow's filters alike."""
    if not _NAME.fullmatch(name) or name.endswith((".", " ")) or len(name.encode()) > _LONGEST_NAME:
        what = "letters, digits, spaces and _.+=- make a study's name, at most 100 of them, a letter or digit first"
        raise InputError(f"study {name[:120]!r}", what, "choose another name")
