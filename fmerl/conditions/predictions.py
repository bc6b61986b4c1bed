"""Predictions of a trained cell under conditions, made with the weights of its selected epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.conditions.condition import Condition
from fmerl.conditions.corruption import corrupted_test
from fmerl.config import CellConfig
from fmerl.training.batching import BatchLoader
from fmerl.training.cell import seen_splits
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import condition_table, predict
from fmerl.training.loop import build_model, deterministic


def predict_under(
    conditions: Sequence[Condition],
    config: CellConfig,
    data: ConversationData,
    anchors: NDArray[np.float32],
    seed: int,
    weights: Mapping[str, Tensor],
    device: torch.device | None = None,
) -> list[pa.Table]:
    """A table of test rows for each condition: the columns of predictions and `condition`.

    Args:
        conditions: Conditions to test under; one of a modality that the model does not read changes none of its rows.
        config: The cell's configuration.
        data: All three splits.
        anchors: Encoded descriptions in label order, [C, E].
        seed: The cell's seed.
        weights: The model's state at the selected epoch.
        device: By default the first GPU where there is one, else the CPU.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tables = []
    with deterministic(config.training.threads):
        model = build_model(config, seen_splits(config, data).subset("train"), anchors, seed)
        model.load_state_dict(weights)
        model.to(device)
        for condition in conditions:
            test = corrupted_test(data, condition)
            loader = BatchLoader(test, config.tables, config.training, device)
            tables.append(condition_table(test, condition.name, predict(model, loader)))
    return tables
