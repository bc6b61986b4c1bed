"""Estimated memory of a cell on a GPU."""

from __future__ import annotations

import numpy as np

from fmerl.config import CellConfig
from fmerl.training.dataset import ConversationData

_CONTEXT = 0.5 * 2**30
"""Bytes of a CUDA context and its libraries."""
_STATE = 16
"""Bytes per parameter: weight, gradient, and Adam's two moments, in float32."""
_KEPT = 20
"""Values of width D that each of the M * M encoders keeps of an utterance for the backward pass."""
_LARGER = {"MultiEMO": 2.0, "COSMIC": 2.0, "CKCL": 2.0}
"""Factor on FMERL's weights and activations, of systems that have more of them than it."""
_EVALUATED = 1024
"""Utterances of a batch of evaluation."""


def gpu_gibibytes(config: CellConfig, data: ConversationData) -> float:
    """Memory that a cell needs at most on a GPU, in GiB: by FMERL's size, which most compared systems stay below.

    Weights and optimiser, activations of the largest batch with their gradients, all features, and a CUDA context.
    """
    width, encoders = config.backbone.hidden, len(config.backbone.modalities) ** 2
    features = sum(data.features[name].nbytes for name in config.tables)
    projected = sum(data.widths(config.backbone.modalities).values())
    parameters = width * (width * (8 * encoders + 3 * config.regression.hidden_layers + 2) + projected)
    lengths = np.sort(np.diff(data.offsets))[::-1]
    longest = int(lengths[0])
    training = config.training
    if training.batch_unit == "dialogues":
        batch = int(lengths[: training.batch_size].sum())
    else:
        batch = training.batch_size + longest
    rows = max(batch, (_EVALUATED + longest) // 2)  # evaluation keeps nothing, but holds a layer at a time
    activations = 2 * 4 * _KEPT * encoders * width * rows
    of_model = _LARGER.get(config.system.name, 1.0) * (_STATE * parameters + activations)
    return (_CONTEXT + of_model + features) / 2**30
