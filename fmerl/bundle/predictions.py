"""Scores and gold classes of cells' prediction tables, for calibration.

Shapes: S cells (seeds), U utterances, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmerl.bundle.manifest import Manifest
from fmerl.corpus.dialogue import Split


def seen_validation(manifest: Manifest, tables: Sequence[pa.Table]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores and gold classes of the validation utterances of classes that were trained: a held-out class's labels
    decide nothing.
    """
    scores, gold = scores_and_gold(manifest, tables, "validation")
    seen = np.array(manifest.train_counts)[gold] > 0
    return scores[:, seen], gold[seen]


def scores_and_gold(
    manifest: Manifest, tables: Sequence[pa.Table], split: Split
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores [S, U, C] and gold classes [U] of a split's labelled utterances.

    Args:
        manifest: Gives the classes.
        tables: Predictions of each cell (`fmerl.training.evaluation.prediction_table`), for the same utterances.
        split: The split.
    """
    rows = [table.filter((pc.field("split") == split) & pc.field("gold").is_valid()) for table in tables]
    index = {name: position for position, name in enumerate(manifest.classes)}
    gold = np.array([index[name] for name in rows[0]["gold"].to_pylist()], dtype=np.int64)
    shape = (len(gold), len(manifest.classes))
    scores = [pc.list_flatten(each["scores"]).to_numpy().reshape(shape) for each in rows]
    return np.stack(scores), gold
