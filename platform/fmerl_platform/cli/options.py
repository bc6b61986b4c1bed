"""Options that several commands share.

Annotations are objects here and no strings: a subclass in another module could not resolve them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fmerl.files import check_writable
from fmerl_platform.running.options import KeepOptions, Resources
from fmerl_platform.study.options import InputOptions, check_margin


def _check_folder(hint: object, folder: Path | None) -> None:
    """Refuse a folder that cannot be written in; an option that is left out names none."""
    if folder is not None:
        check_writable(folder)


OutputFolder = Annotated[Path, Parameter(validator=_check_folder)]
"""A folder to write in, refused before any work if that cannot be done."""
FLAT = Parameter(name="*")
"""A dataclass whose fields are options of the command."""
ONE_EACH = Parameter(consume_multiple=False)
"""An option that is given again for each further value."""

Folds = Annotated[
    str | None,
    Parameter(
        help="Test every utterance once, in folds in place of the corpus's splits: session (IEMOCAP) or speaker leaves "
        "one out, a number deals the dialogues into so many; else a CSV of dialogue_id and fold."
    ),
]
"""Option of the studies that can be run in folds."""


Conditions = Annotated[
    tuple[str, ...],
    Parameter(
        help="Also test every cell with a modality corrupted: MODALITY:drop, :drop=SHARE of utterances, :snr=DECIBELS "
        "of noise or :delay=TURNS, as in audio:snr=10 visual:delay=2 text+audio:drop. Each modality alone is dropped "
        "anyhow. Finished cells are tested again if they kept their weights."
    ),
]
"""Option of the studies whose report shows conditions."""


@dataclass(frozen=True, kw_only=True)
class MarginOptions:
    """Equivalence within a margin."""

    margin: float | None = None
    """Points of weighted F1 within which a variant counts as equivalent to the control; state it before you look."""

    def __post_init__(self) -> None:
        check_margin(self.margin)


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Options of every study."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of every variant."""
    storage: OutputFolder = Path("runs")
    """Folder of everything that is written."""
    inputs: Annotated[InputOptions, FLAT] = field(default_factory=InputOptions)
    resources: Annotated[Resources, FLAT] = field(default_factory=Resources)
    keep: Annotated[KeepOptions, FLAT] = field(default_factory=KeepOptions)
    dry_run: bool = False
    """Check all inputs and show the cells, train nothing."""
