"""The bundle of one cell: its model with the selected epoch's weights, and all that predicting with it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fmerl.bundle.calibration import fit_temperature
from fmerl.bundle.folder import write_bundle
from fmerl.bundle.licences import encoders_of, licences_of
from fmerl.bundle.manifest import describe
from fmerl.bundle.predictions import seen_validation
from fmerl.config import CellConfig
from fmerl.training.cell import CellResult
from fmerl.training.dataset import ConversationData


def write_cell_bundle(
    folder: Path,
    result: CellResult,
    *,
    config: CellConfig,
    data: ConversationData,
    anchors: NDArray[np.float32],
    descriptions: Mapping[str, str],
    recipes: Mapping[str, Mapping[str, Any]],
    seed: int,
    fingerprint: str,
) -> None:
    """Write the bundle of a trained cell.

    Args:
        folder: The bundle's folder.
        result: What training left.
        config: The cell's configuration.
        data: The data that it was trained on, all splits.
        anchors: Encoded descriptions in label order, [C, E].
        descriptions: Emotion to description.
        recipes: Recipe of each modality's features.
        seed: The cell's seed.
        fingerprint: The cell's fingerprint.
    """
    used = {name: recipes[name] for name in config.tables if name in recipes}
    licences = licences_of(data.corpus, encoders_of(used, config.anchors.encoder))
    manifest = describe(config, data, descriptions, used, licences)
    temperature = fit_temperature(*seen_validation(manifest, [result.predictions]))
    weights = {(seed, fingerprint): result.weights}
    write_bundle(folder, replace(manifest, temperature=temperature), torch.tensor(anchors), weights)
