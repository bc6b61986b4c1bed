"""Second training of one cell of a finished study, and its difference from the recorded numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from fmerl.config import CellConfig
from fmerl.errors import InputError
from fmerl.training.cell import CellResult, train_cell
from fmerl_platform.ledger.cells import read_cells
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import SAME_NUMBERS, provenance
from fmerl_platform.ledger.results import CellRecord
from fmerl_platform.study.cells import Cell, CorpusInputs
from fmerl_platform.study.fingerprint import fingerprint
from fmerl_platform.study.inputs import join_inputs, open_corpus
from fmerl_platform.study.record import CellKey, CorpusRecord, StudyRecord

TOLERANCE = 0.005
"""Tolerance of test weighted F1 if code, packages or processor differ: sums in another order drift."""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A cell's recorded numbers beside those of its second training."""

    cell: CellRecord
    weighted_f1: float
    """Test weighted F1 of the second training."""
    changed_predictions: int
    """Utterances of validation and test predicted as another class."""
    largest_score_difference: float
    """Largest difference between cosines with an anchor."""
    differs: tuple[str, ...]
    """Facts that differ from when the cell was trained (`fmerl_platform.ledger.provenance.SAME_NUMBERS`)."""
    trained: Cell
    """The cell that was trained."""
    inputs: CorpusInputs
    result: CellResult

    @property
    def identical(self) -> bool:
        return not self.changed_predictions and self.largest_score_difference == 0

    @property
    def within_tolerance(self) -> bool:
        """True if identical, or, where facts differ, test weighted F1 is within `TOLERANCE`."""
        if not self.differs:
            return self.identical
        return abs(self.weighted_f1 - self.cell.metrics["test_weighted_f1"]) <= TOLERANCE


def find_cell(record: StudyRecord, name: str) -> tuple[CorpusRecord, CellKey]:
    """A cell by the beginning of its fingerprint or by `corpus/variant/seed`, in a study with folds `…/seed/fold`.

    Raises:
        InputError: No such cell, or several.
    """
    found = [
        (corpus, cell)
        for corpus in record.corpora
        for cell in corpus.cells
        if cell.fingerprint.startswith(name) or name == _path(cell)
    ]
    if len(found) != 1:
        what = f"{len(found)} cells begin so" if found else "no such cell in the study's last command"
        form = "CORPUS/VARIANT/SEED/FOLD" if record.folds else "CORPUS/VARIANT/SEED"
        remedy = f"give a fingerprint or {form}, such as {_path(record.cells[0])}"
        raise InputError(f"--reproduce {name}", what, remedy)
    return found[0]


def _path(cell: CellKey) -> str:
    return "/".join([cell.corpus, cell.variant, str(cell.seed), *([] if cell.fold is None else [cell.fold])])


def reproduce(experiment: Experiment, record: StudyRecord, name: str, storage: Path) -> Reproduction:
    """Train a cell again from the inputs that its study recorded. Nothing is logged.

    Args:
        experiment: The study's.
        record: The study's.
        name: Cell, as for `find_cell`.
        storage: Folder where synthetic corpora are, or are written again.

    Raises:
        InputError: No such cell, it never finished, or its inputs are gone or not what they were.
    """
    corpus_record, key = find_cell(record, name)
    config = _config(corpus_record, key, name)
    recorded = read_cells(experiment, [key])
    if not recorded:
        raise InputError(f"--reproduce {name}", "the cell never finished", "run the study's command again")
    options = record.input_options()
    corpus, features = open_corpus(corpus_record.source, options, storage)
    inputs = join_inputs(corpus_record.source, corpus, features, [config], options, record.folds)
    for digest, value in inputs.data.digests.items():
        if corpus_record.digests[digest] != value:
            raise InputError(
                f"{digest} of {corpus_record.corpus}", "its content is not what the study read", "restore it"
            )
    if corpus_record.folds != {name: fold.digest() for name, fold in inputs.folds.items()}:
        raise InputError(f"folds of {corpus_record.corpus}", "they are not what the study tested", "restore them")
    data, anchors = inputs.data_of(key.fold), inputs.anchors[config.anchors]
    now = provenance()
    differs = tuple(name for name in SAME_NUMBERS if now[name] != record.provenance[name])
    if not differs and fingerprint(config, data, anchors, key.seed) != key.fingerprint:
        differs = ("anchors",)
    if config.training.workers > 1:  # trained by this process alone, with other dropout masks
        differs = (*differs, "workers")
    result = train_cell(config, data, anchors, key.seed)
    return Reproduction(
        trained=Cell(
            corpus=key.corpus,
            variant=key.variant,
            seed=key.seed,
            config=config,
            fingerprint=key.fingerprint,
            fold=key.fold,
        ),
        inputs=inputs,
        result=result,
        cell=recorded[0],
        weighted_f1=result.metrics["test_weighted_f1"],
        changed_predictions=_changed(recorded[0].predictions, result.predictions),
        largest_score_difference=float(np.abs(_scores(recorded[0].predictions) - _scores(result.predictions)).max()),
        differs=differs,
    )


def _config(corpus: CorpusRecord, key: CellKey, name: str) -> CellConfig:
    try:
        return corpus.config(key.variant)
    except ValueError as error:  # a tuned encoder's, or of a version that had other fields
        what = f"its settings are not those of a cell that this version trains ({error})"
        raise InputError(f"--reproduce {name}", what, "run the study's command in another --storage") from error


def _changed(before: pa.Table, after: pa.Table) -> int:
    return sum(a != b for a, b in zip(before["predicted"].to_pylist(), after["predicted"].to_pylist(), strict=True))


def _scores(table: pa.Table) -> np.ndarray:
    return np.array(table["scores"].to_pylist(), dtype=np.float32)
