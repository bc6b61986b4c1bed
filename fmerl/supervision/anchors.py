"""The frozen anchors e_c: emotion descriptions through the emotion encoder, once per study (Eq. 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fmerl.config import AnchorConfig
from fmerl.features.text.encoder import TextEncoder
from fmerl.supervision.descriptions import anchor_texts


def encode_anchors(
    classes: Sequence[str], descriptions: Mapping[str, str], configs: Iterable[AnchorConfig]
) -> dict[AnchorConfig, NDArray[np.float32]]:
    """Anchors of every class, [C, E] in label order, for each distinct config; each encoder is loaded once.

    Raises:
        InputError: A class without a description, or an encoder that cannot be loaded.
    """
    texts = {config: anchor_texts(classes, descriptions, config) for config in configs}
    encoders = {
        (config.encoder, config.pooling): TextEncoder(config.encoder, pooling=config.pooling)
        for config in {(config.encoder, config.pooling): config for config in texts}.values()
    }
    return {config: encoders[config.encoder, config.pooling].encode(lines) for config, lines in texts.items()}


def mean_cosine(anchors: NDArray[np.float32]) -> float:
    """Mean cosine of two different classes' anchors: near 1 the contrastive loss can hardly fall at temperature 1."""
    count = len(anchors)
    return float((cosines(anchors).sum() - count) / (count * (count - 1)))


def cosines(anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of every pair of anchors, [C, E] -> [C, C]."""
    unit = anchors / np.linalg.norm(anchors, axis=1, keepdims=True)
    return unit @ unit.T
