"""Language models that were asked for the emotions of a corpus: runs of another study, shown beside a zero-shot one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from fmerl.errors import InputError
from fmerl_platform.ledger.cells import FinishedCell, finished_cells, read_cells
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.results import CellRecord, CorpusCells, labelled_predictions
from fmerl_platform.statistics import UNANSWERED, CellPredictions


@dataclass(frozen=True, kw_only=True)
class LanguageModels:
    """Language models' cells of one corpus."""

    cells: dict[str, tuple[CellRecord, ...]]
    """Cells by model, in order of seeds."""
    refused: tuple[str, ...] = ()
    """Runs that are not shown, each with its reason."""


NO_MODELS = LanguageModels(cells={})


def read_language_models(experiment: Experiment, corpus: str, unseen: Sequence[str]) -> LanguageModels:
    """Finished runs of a corpus; one that does not hold out the same classes is refused by name.

    Args:
        experiment: The language models' study.
        corpus: Name of the corpus.
        unseen: Classes that the zero-shot study holds out.
    """
    refused: list[str] = []
    wanted: list[FinishedCell] = []
    for found in finished_cells(experiment, corpus=corpus):
        if found.superseded:
            continue
        if set(found.unseen) == set(unseen):
            wanted.append(found)
        else:
            refused.append(
                f"{found.variant}, seed {found.seed} (run {found.run_id}): its unseen classes are "
                f"{', '.join(sorted(found.unseen)) or 'none'}, not {', '.join(unseen)}"
            )
    cells: dict[str, list[CellRecord]] = defaultdict(list)
    for cell in read_cells(experiment, wanted):
        cells[cell.variant].append(cell)
    ordered = {model: tuple(sorted(found, key=lambda cell: cell.seed)) for model, found in sorted(cells.items())}
    return LanguageModels(cells=ordered, refused=tuple(refused))


@dataclass(frozen=True, kw_only=True)
class SharedUtterances:
    """A model and the control on the test utterances that all their cells were asked about."""

    model: list[CellPredictions]
    control: list[CellPredictions]
    left_out: int
    """Labelled test utterances of the study that some run of the model was not asked about."""
    unanswered: int
    """Answers of the model, over all its runs, that name no class: they stay, and are wrong."""


def on_shared_utterances(cells: Sequence[CellRecord], results: CorpusCells) -> SharedUtterances:
    """The model's runs beside the control's, utterance by utterance.

    Raises:
        InputError: They share no utterance, or differ in labels.
    """
    control = results.of_variant(results.control)
    tables = [cell.labelled_test() for cell in (*cells, *control)]
    known = [set(table["utterance_id"].to_pylist()) for table in tables]
    shared = set.intersection(*known)
    order = [name for name in tables[-1]["utterance_id"].to_pylist() if name in shared]
    what = f"{cells[0].variant} on {results.corpus}"
    if not order:
        raise InputError(what, "it shares no test utterance with the study", "run both on one version of the corpus")
    parts = [_rows(cell, table, order) for cell, table in zip((*cells, *control), tables, strict=True)]
    predictions = [labelled_predictions(part, results.classes) for part in parts]
    if any(not np.array_equal(each.gold, predictions[-1].gold) for each in predictions):
        raise InputError(what, "its labels are not the study's", "run both on one version of the corpus")
    total = len(known[-1]) if control else max(map(len, known))
    model = predictions[: len(cells)]
    return SharedUtterances(
        model=model,
        control=predictions[len(cells) :],
        left_out=total - len(order),
        unanswered=sum(int((each.predicted == UNANSWERED).sum()) for each in model),
    )


def _rows(cell: CellRecord, table: pa.Table, order: Sequence[str]) -> CellRecord:
    place = {name: row for row, name in enumerate(table["utterance_id"].to_pylist())}
    return replace(cell, predictions=table.take([place[name] for name in order]))
