"""What to predict, by what, and where to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fmerl.bundle.recipes import Places
from fmerl.corpus.conversations import PIECE, table_of
from fmerl_platform.running.options import Resources

SMALL = 2_000
"""Most utterances that are predicted without Ray."""


class PredictionError(RuntimeError):
    """Prediction ended early; what was done is kept."""


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """Conversations to predict, and the bundle that does it."""

    bundle: str
    """A folder, a run's id, or models:/NAME/VERSION or models:/NAME@ALIAS."""
    input: Path
    """A CSV, Parquet, JSON lines or chat JSON file, or a corpus folder."""
    media_roots: tuple[Path, ...] = ()
    """Folders beside the input's own that may hold its media."""
    split: str | None = None
    """Split to predict alone."""
    features: Path | None = None
    """Feature tables of a corpus folder, made by the bundle's recipes, in place of features made here."""
    classes: tuple[str, ...] = ()
    """`NAME=DESCRIPTION` of classes to add or describe anew."""
    places: Places = field(default_factory=Places)
    """Where encoders lie on this machine."""
    anchor_encoder: str | None = None
    """Encoder of descriptions on this machine."""
    storage: Path = Path("runs")
    """Folder of MLflow's database and of unfinished work."""
    resources: Resources = field(default_factory=Resources)
    """Resources of a worker that makes features."""
    piece: int = PIECE
    """Utterances that are in memory at once, of a large input."""

    @property
    def folder(self) -> Path:
        """Folder where media paths start."""
        return self.input if table_of(self.input) != self.input else self.input.parent
