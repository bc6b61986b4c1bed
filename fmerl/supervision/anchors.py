"""The frozen anchors e_c: emotion descriptions through the emotion encoder, once per study (Eq. 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fmerl.card import recipe_digest
from fmerl.config import AnchorConfig
from fmerl.errors import InputError
from fmerl.features.text.encoder import TextEncoder, revision_of
from fmerl.files import replaced_file
from fmerl.supervision.descriptions import anchor_texts


def encode_anchors(
    classes: Sequence[str],
    descriptions: Mapping[str, str],
    configs: Iterable[AnchorConfig],
    kept: Path | None = None,
) -> dict[AnchorConfig, NDArray[np.float32]]:
    """Anchors of every class, [C, E] in label order, for each distinct config; each encoder is loaded once.

    Args:
        classes: Classes in label order.
        descriptions: Text of each class.
        configs: What is encoded, by which encoder.
        kept: Folder where encoded anchors are kept; no encoder is loaded for those that are there.

    Raises:
        InputError: A class without a description, or an encoder that cannot be loaded.
    """
    texts = {config: anchor_texts(classes, descriptions, config) for config in configs}
    store = None if kept is None else _KeptAnchors(kept)
    anchors = {config: found for config in texts if store and (found := store.read(config, texts[config])) is not None}
    missing = [config for config in texts if config not in anchors]
    encoders = {
        (name, pooling): TextEncoder(name, pooling=pooling)
        for name, pooling in {(config.encoder, config.pooling) for config in missing}
    }
    for config in missing:
        anchors[config] = encoders[config.encoder, config.pooling].encode(texts[config])
        if store:
            store.write(config, texts[config], anchors[config])
    return anchors


class _KeptAnchors:
    """Anchors in files of a folder, each named by all that decides it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._revision = cache(revision_of)

    def read(self, config: AnchorConfig, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Anchors that were encoded before; None where they were not, or their file is damaged."""
        try:
            anchors: NDArray[np.float32] = np.load(self._file(config, texts), allow_pickle=False)
        except (InputError, OSError, ValueError, EOFError):  # InputError: the encoder has not been downloaded yet
            return None
        return anchors

    def write(self, config: AnchorConfig, texts: Sequence[str], anchors: NDArray[np.float32]) -> None:
        """Keep anchors whose encoder is here."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with replaced_file(self._file(config, texts)) as file:
            np.save(file, anchors)

    def _file(self, config: AnchorConfig, texts: Sequence[str]) -> Path:
        recipe = {
            "revision": self._revision(config.encoder),
            "pooling": config.pooling,
            "texts": list(texts),
            "libraries": {name: version(name) for name in ("torch", "transformers")},
        }
        return self._folder / f"{recipe_digest(recipe)}.npy"


def mean_cosine(anchors: NDArray[np.float32]) -> float:
    """Mean cosine of two different classes' anchors: near 1 the contrastive loss can hardly fall at temperature 1."""
    count = len(anchors)
    return float((cosines(anchors).sum() - count) / (count * (count - 1)))


def cosines(anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of every pair of anchors, [C, E] -> [C, C]."""
    unit = anchors / np.linalg.norm(anchors, axis=1, keepdims=True)
    return unit @ unit.T
