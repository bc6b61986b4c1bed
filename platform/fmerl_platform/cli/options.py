"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fmerl_platform.running.options import KeepOptions, Resources
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.study import SYNTHETIC

FLAT = Parameter(name="*")
"""A dataclass whose fields are options of the command."""
ONE_EACH = Parameter(consume_multiple=False)
"""An option that is given again for each further value."""


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """What every study has."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of every variant."""
    storage: Path = Path("runs")
    """Folder of everything that is written."""
    inputs: Annotated[InputOptions, FLAT] = field(default_factory=InputOptions)
    resources: Annotated[Resources, FLAT] = field(default_factory=Resources)
    keep: Annotated[KeepOptions, FLAT] = field(default_factory=KeepOptions)
    dry_run: bool = False
    """Check all inputs and show the cells, train nothing."""


@dataclass(frozen=True, kw_only=True)
class Corpora:
    """Which corpora are read: by name, as folders, or MELD's raw text."""

    corpus: tuple[str, ...] = SYNTHETIC
    """Corpus folders, or names of synthetic corpora."""
    meld: Path | None = None
    """Folder of MELD's three CSVs, in place of --corpus."""
    emobank: Path | None = None
    """EmoBank's emobank.csv, needed with --meld."""
