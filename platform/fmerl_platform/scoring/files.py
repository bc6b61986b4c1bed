"""Prediction files: CSV or Parquet, one row per utterance and seed.

U test rows, C classes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fmerl.config import DIMENSIONS
from fmerl.corpus.parquet_tables import read_parquet
from fmerl.corpus.tables import Row, read_csv
from fmerl.errors import InputError
from fmerl_platform.scoring.gold import Gold

_SUM_TOLERANCE = 0.02
"""Distance of a row's probabilities from 1 that rounding to two decimals may leave."""


@dataclass(frozen=True, kw_only=True)
class SeedPredictions:
    """Predictions with one seed, in the order of the gold rows."""

    seed: int | None
    predicted: list[str | None]
    """Class by name; None without an answer or, for context, without a row, [U]."""
    probabilities: NDArray[np.float64] | None
    """Probabilities in label order, NaN where there is no row, [U, C]; None where the file has no such columns."""
    vad: dict[str, NDArray[np.float64]]
    """Predicted scores by dimension, NaN where there is none, [U]; those that the file has."""


@dataclass(frozen=True, kw_only=True)
class PredictionFile:
    """A file's predictions."""

    name: str
    path: Path
    seeds: tuple[SeedPredictions, ...]
    """By ascending seed; a single one of seed None where the file has no seeds."""


def named_paths(arguments: Sequence[str]) -> dict[str, Path]:
    """Paths by name, from `PATH` or `NAME=PATH`; a path alone is called by its stem.

    Raises:
        InputError: Two files of one name.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not separator or Path(argument).exists():
            name, path = Path(argument).stem, argument
        if name in found:
            raise InputError(argument, f"a second file called {name!r}", "name files apart, as NAME=PATH")
        found[name] = Path(path)
    return found


def read_predictions(name: str, path: Path, gold: Gold) -> PredictionFile:
    """Read a file and check it against the gold rows.

    Columns are `utterance_id` and `predicted`; optional are `seed`, one probability per class under the class's name,
    `valence`, `arousal` and `dominance`. Rows of the corpus's other utterances are read and left out.

    Raises:
        InputError: A row that is repeated, of a foreign id, of an unknown class, or holds no number where one is due; a
            labelled test utterance without a row.
    """
    read = read_parquet if path.suffix.lower() in (".parquet", ".pq") else read_csv
    rows = read(path, ("utterance_id", "predicted"), ("seed", *gold.classes, *DIMENSIONS))
    if not rows:
        raise InputError(path, "no row", "write a row per test utterance")
    seeded = any(row["seed"] for row in rows)
    by_seed: dict[int | None, dict[str, Row]] = {}
    for row in rows:
        place = by_seed.setdefault(_seed(row) if seeded else None, {})
        _check(row, place, gold)
        place[row["utterance_id"]] = row
    classes = _columns(path, rows, gold.classes)
    dimensions = [dimension for dimension in DIMENSIONS if any(row[dimension] for row in rows)]
    ordered = sorted(by_seed.items(), key=lambda item: item[0] or 0)
    return PredictionFile(
        name=name,
        path=path,
        seeds=tuple(_of_seed(path, seed, found, gold, classes, dimensions) for seed, found in ordered),
    )


def _check(row: Row, earlier: dict[str, Row], gold: Gold) -> None:
    name, predicted = row["utterance_id"], row["predicted"]
    if name in earlier:
        what = f"utterance_id {name!r} is also that of row {earlier[name].number}, with the same seed"
        raise row.error(what, "keep one of them, or give each training its own seed")
    if name not in gold.known:
        raise row.error(f"utterance_id {name!r} is none of {gold.corpus}", "predict the corpus's own utterances")
    if predicted and predicted not in gold.classes:
        raise row.error(f"unknown class {predicted!r}", f"use one of {', '.join(gold.classes)}, or none for no answer")


def _seed(row: Row) -> int:
    if not re.fullmatch(r"-?\d{1,18}", row["seed"], re.ASCII):
        raise row.error(f"seed {row['seed']!r} is no whole number", "give every row the seed of its training, or none")
    return int(row["seed"])


def _columns(path: Path, rows: Sequence[Row], classes: Sequence[str]) -> Sequence[str]:
    """Classes that have probabilities: all, or none."""
    given = [name for name in classes if any(row[name] for row in rows)]
    if given and len(given) < len(classes):
        missing = ", ".join(name for name in classes if name not in given)
        what = f"probabilities of {', '.join(given)} and none of {missing}"
        raise InputError(path, what, "write a column for every class, or for none", row=1)
    return given


def _of_seed(
    path: Path,
    seed: int | None,
    found: dict[str, Row],
    gold: Gold,
    classes: Sequence[str],
    dimensions: Sequence[str],
) -> SeedPredictions:
    missing = [name for name in gold.labelled if name not in found]
    if missing:
        of_seed = "" if seed is None else f" with seed {seed}"
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        what = f"no row of test utterance {missing[0]!r}{more}{of_seed}"
        raise InputError(path, what, "write a row for every labelled test utterance, its predicted empty if unanswered")
    rows = [found.get(name) for name in gold.position]
    return SeedPredictions(
        seed=seed,
        predicted=[row["predicted"] or None if row else None for row in rows],
        probabilities=np.array([_probabilities(row, classes) for row in rows]) if classes else None,
        vad={name: np.array([_number(row, name) for row in rows]) for name in dimensions},
    )


def _probabilities(row: Row | None, classes: Sequence[str]) -> list[float]:
    if row is None:
        return [math.nan] * len(classes)
    values = [_number(row, name) for name in classes]
    for name, value in zip(classes, values, strict=True):
        if not 0 <= value <= 1:
            raise row.error(f"probability {row[name]!r} of {name} is not in [0, 1]", "write probabilities, no scores")
    if abs(sum(values) - 1) > _SUM_TOLERANCE:
        raise row.error(f"its probabilities add up to {sum(values):.4g}", "write a distribution over the classes")
    return values


def _number(row: Row | None, column: str) -> float:
    """Number in a cell; NaN of an empty one."""
    if row is None or not row[column]:
        return math.nan
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise row.error(f"{column} {row[column]!r} is no number", "mend the cell, or leave it empty")
    return value
