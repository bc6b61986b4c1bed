"""Cells of all folds of a seed as one: every utterance as the cell predicted that tested it."""

from __future__ import annotations

import statistics as moments
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmerl.rows import mapped
from fmerl_platform.ledger.results import CellRecord, scores_on_test


def pooled_over_folds(cells: Sequence[CellRecord], folds: Sequence[str]) -> tuple[CellRecord, ...]:
    """One record per variant and seed whose folds are all there; others are left out.

    Args:
        cells: Cells of one corpus.
        folds: Names of the study's folds.
    """
    groups: dict[tuple[str, int], dict[str | None, CellRecord]] = defaultdict(dict)
    for cell in cells:
        groups[cell.variant, cell.seed][cell.fold] = cell
    whole = [[found[fold] for fold in folds] for found in groups.values() if {*folds} <= {*found}]
    return tuple(map(_pooled, whole, mapped(map(_predictions, whole)), mapped(map(_conditions, whole))))


def _predictions(cells: Sequence[CellRecord]) -> pa.Table:
    return _each_once({str(cell.fold): cell.predictions.filter(pc.field("split") == "test") for cell in cells})


def _conditions(cells: Sequence[CellRecord]) -> pa.Table:
    """Rows of the conditions that all folds were tested under."""
    of_each = [cell.conditions["condition"].unique().to_pylist() for cell in cells]
    tables = [
        _each_once({str(cell.fold): cell.conditions.filter(pc.field("condition") == name) for cell in cells})
        for name in of_each[0]
        if all(name in names for names in of_each)
    ]
    return pa.concat_tables(tables) if tables else cells[0].conditions.slice(0, 0)


def _pooled(cells: Sequence[CellRecord], predictions: pa.Table, conditions: pa.Table) -> CellRecord:
    """The record of one seed. Its scores are of the pooled predictions, its other numbers the folds' means."""
    return replace(
        cells[0],
        fold=None,
        fingerprint="+".join(cell.fingerprint for cell in cells),
        run_id="+".join(cell.run_id for cell in cells),
        metrics=_metrics(cells, predictions),
        history={
            name: [moments.fmean(values) for values in zip(*(cell.history[name] for cell in cells), strict=False)]
            for name in cells[0].history
        },
        predictions=predictions,
        conditions=conditions,
    )


def _each_once(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Rows of all folds with their `fold`, in the order of dialogue and turn.

    An utterance that one fold tests and another has as context only is taken from the one that tests it.
    """
    rows = pa.concat_tables(
        [table.append_column("fold", pa.array([fold] * len(table), pa.string())) for fold, table in tables.items()],
        promote_options="permissive",
    )
    place: dict[str, int] = {}
    for index, (name, tested) in enumerate(
        zip(rows["utterance_id"].to_pylist(), rows["gold"].is_valid().to_pylist(), strict=True)
    ):
        if tested or name not in place:
            place[name] = index
    return rows.take(np.array(list(place.values()), dtype=np.int64)).sort_by(
        [("dialogue_id", "ascending"), ("turn", "ascending")]
    )


def _metrics(cells: Sequence[CellRecord], predictions: pa.Table) -> dict[str, float]:
    metrics = {
        name: moments.fmean(cell.metrics[name] for cell in cells)
        for name in cells[0].metrics
        if all(name in cell.metrics for cell in cells)
    }
    named = pa.chunked_array([*predictions["gold"].chunks, *predictions["predicted"].chunks]).drop_null().unique()
    scores = scores_on_test(replace(cells[0], predictions=predictions), tuple(named.to_pylist()))
    # The oracle's predictions are not kept: its gain is the mean over folds, by what each tests.
    tested = [len(cell.labelled_test()) for cell in cells]
    gains = [cell.metrics["test_oracle_weighted_f1"] - cell.metrics["test_weighted_f1"] for cell in cells]
    oracle = scores["test_weighted_f1"] + float(np.average(gains, weights=tested))
    return {**metrics, **scores, "test_oracle_weighted_f1": oracle}
