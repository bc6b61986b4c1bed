"""The bundle of one cell: its model with the selected epoch's weights, and all that predicting with it needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from fmerl.bundle.calibration import fit_temperature
from fmerl.bundle.folder import write_bundle
from fmerl.bundle.licences import encoders_of, licences_of
from fmerl.bundle.manifest import describe
from fmerl.bundle.predictions import seen_validation
from fmerl.training.cell import CellResult
from fmerl_platform.study.cells import Cell, CorpusInputs


def write_cell_bundle(folder: Path, cell: Cell, inputs: CorpusInputs, result: CellResult) -> None:
    """Write the bundle of a trained cell."""
    config = cell.config
    recipes = {name: inputs.recipes[name] for name in config.backbone.modalities if name in inputs.recipes}
    licences = licences_of(inputs.data.corpus, encoders_of(recipes, config.anchors.encoder))
    manifest = describe(config, inputs.data, inputs.descriptions, recipes, licences)
    temperature = fit_temperature(*seen_validation(manifest, [result.predictions]))
    anchors = torch.tensor(inputs.anchors[config.anchors])
    weights = {(cell.seed, cell.fingerprint): result.weights}
    write_bundle(folder, replace(manifest, temperature=temperature), anchors, weights)
