"""The bundle of a finished cell that kept no weights: it is trained again and must give the numbers that it gave."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fmerl.bundle.cell import write_cell_bundle
from fmerl.bundle.folder import read_bundle
from fmerl.bundle.model import Bundle
from fmerl.errors import InputError
from fmerl_platform.ledger.results import CellRecord
from fmerl_platform.studies.reproduce import reproduce
from fmerl_platform.studies.results import StudyResults


def retrained(study: StudyResults, cell: CellRecord, storage: Path) -> Bundle:
    """Train a cell again from the inputs that its study recorded.

    Raises:
        InputError: Its inputs are gone or not what they were, or it gives other numbers.
    """
    found = reproduce(study.experiment, study.record, cell.fingerprint, storage)
    if not found.identical:
        what = (
            f"trained again it gives other numbers ({found.changed_predictions} predictions differ, test w-F1 "
            f"{100 * found.weighted_f1:.2f}; not as it was: {', '.join(found.differs) or 'nothing known'})"
        )
        raise InputError(
            f"{cell.variant}, seed {cell.seed}", what, "train it in a study of its own with --keep-weights"
        )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "bundle"
        write_cell_bundle(place, found.result, **found.trained.facts(found.inputs))
        return read_bundle(place)
