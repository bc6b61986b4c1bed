"""A finished study and where its parts lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fmerl_platform import Study, StudyResults


@dataclass(frozen=True)
class Finished:
    """A study of `helpers.text_cells.text_corpus` whose cells kept their models."""

    study: Study
    results: StudyResults
    storage: Path
    corpus: Path
    features: Path
    encoder: Path
