"""Prediction files as a study's results: each file a variant, each of its seeds a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmerl.config import DIMENSIONS
from fmerl.files import file_digest
from fmerl.supervision.agreement import concordance
from fmerl_platform.ledger.results import CellRecord, CorpusCells, scores_on_test
from fmerl_platform.scoring.calibration import CalibrationBin, calibration_bins, expected_calibration_error
from fmerl_platform.scoring.files import PredictionFile, SeedPredictions
from fmerl_platform.scoring.gold import Gold


@dataclass(frozen=True, kw_only=True)
class SystemScores:
    """Scores of a file beyond those of the confusion matrix, by seed."""

    calibration_error: tuple[float, ...] = ()
    """Expected calibration error; empty without probabilities."""
    bins: tuple[CalibrationBin, ...] = ()
    """Calibration over all seeds."""
    other_than_likeliest: int = 0
    """Labelled rows, over all seeds, whose predicted class is not the most probable one."""
    ccc: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Concordance with human scores by dimension; dimensions that both have."""
    unanswered: int = 0
    """Labelled rows without an answer, over all seeds."""


def results_of(gold: Gold, files: Sequence[PredictionFile], beside: CorpusCells | None, variant: str) -> CorpusCells:
    """Results of all files, and of a study's variant as their control where one is given.

    Args:
        gold: Test rows.
        files: At least one.
        beside: A study's results on this corpus; None compares the files with the first of them.
        variant: The study's variant.
    """
    control = () if beside is None else beside.of_variant(variant)
    names = (*([variant] if control else []), *(file.name for file in files))
    cells = [_cell(gold, file, of_seed) for file in files for of_seed in file.seeds]
    every_cell = (*control, *cells)
    return CorpusCells(
        corpus=gold.corpus,
        classes=gold.classes,
        control=names[0],
        variants=names,
        cells=every_cell,
        folds=() if beside is None else beside.folds,
        pooled=every_cell,
        changes={name: {"system.name": name} for name in names},
        repeats=gold.repeats,
        seedless=frozenset(file.name for file in files if file.seeds[0].seed is None),
    )


def _cell(gold: Gold, file: PredictionFile, found: SeedPredictions) -> CellRecord:
    columns = {"predicted": pa.array(found.predicted, pa.string())}
    for dimension in DIMENSIONS:
        values = found.vad.get(dimension, np.full(len(found.predicted), np.nan))
        columns[dimension] = pa.array(values, from_pandas=True)  # NaN becomes null
    table = gold.rows
    for name, column in columns.items():
        table = table.append_column(name, column)
    cell = CellRecord(
        corpus=gold.corpus,
        variant=file.name,
        seed=found.seed or 0,
        fingerprint=file_digest(file.path),
        run_id=str(file.path),
        metrics={},
        history={},
        predictions=table,
        conditions=table.slice(0, 0).append_column("condition", pa.array([], pa.string())),
    )
    return replace(cell, metrics=scores_on_test(cell, gold.classes))


def system_scores(gold: Gold, file: PredictionFile) -> SystemScores:
    """Calibration and concordance of a file."""
    labelled = gold.rows["gold"].is_valid().to_numpy()
    classes = np.array(gold.classes, dtype=object)
    target = np.array(gold.rows["gold"].to_pylist(), dtype=object)[labelled]
    confidences: list[NDArray[np.float64]] = []
    rights: list[NDArray[np.bool_]] = []
    errors: list[float] = []
    other = unanswered = 0
    for found in file.seeds:
        predicted = np.array(found.predicted, dtype=object)[labelled]
        answered = np.array([name is not None for name in predicted])
        unanswered += int((~answered).sum())
        if found.probabilities is None:
            continue
        probabilities = found.probabilities[labelled][answered]
        named = predicted[answered]
        chosen = np.array([gold.classes.index(name) for name in named])
        other += int((classes[probabilities.argmax(axis=1)] != named).sum())
        confidences.append(probabilities[np.arange(len(chosen)), chosen])
        rights.append(named == target[answered])
        errors.append(expected_calibration_error(confidences[-1], rights[-1]))
    return SystemScores(
        calibration_error=tuple(errors),
        bins=tuple(calibration_bins(np.concatenate(confidences), np.concatenate(rights))) if errors else (),
        other_than_likeliest=other,
        ccc=_concordances(gold, file),
        unanswered=unanswered,
    )


def _concordances(gold: Gold, file: PredictionFile) -> dict[str, tuple[float, ...]]:
    if gold.vad is None:
        return {}
    found: dict[str, tuple[float, ...]] = {}
    for dimension in file.seeds[0].vad:
        human = gold.vad[dimension].to_numpy()
        both = [np.isfinite(human) & np.isfinite(of_seed.vad[dimension]) for of_seed in file.seeds]
        if all(rows.any() for rows in both):
            found[dimension] = tuple(
                concordance(human[rows], of_seed.vad[dimension][rows])
                for rows, of_seed in zip(both, file.seeds, strict=True)
            )
    return found
