"""Classes in words: FMERL's classes are encoded texts, so others can be added or described anew at prediction.

How well a class is recognised that was never trained is what zero-shot studies measure; nothing here measures it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from fmerl.bundle.model import Bundle
from fmerl.errors import InputError
from fmerl.features.text.encoder import TextEncoder
from fmerl.supervision.descriptions import anchor_texts

_OPTION = "--classes"
_TOLERANCE = 1e-3
"""Largest difference of an anchor that is encoded again, relative to the anchors' size: other processors and library
versions sum in another order."""


def parse_classes(given: Sequence[str]) -> dict[str, str]:
    """Descriptions by class of `NAME=DESCRIPTION`, or of `NAME` alone, whose description is empty.

    Raises:
        InputError: An empty name, or one that stands twice.
    """
    classes: dict[str, str] = {}
    for text in given:
        name, _, description = text.partition("=")
        name = name.strip()
        if not name:
            raise InputError(_OPTION, f"{text!r} names no class", 'write "pride=Valence: high, Arousal: moderate, …"')
        if name in classes:
            raise InputError(_OPTION, f"{name} stands twice", "name each class once")
        classes[name] = description.strip()
    return classes


def with_classes(bundle: Bundle, descriptions: Mapping[str, str], encoder: str | None = None) -> Bundle:
    """The bundle with classes added, or, for names that it has, described anew.

    Args:
        bundle: FMERL's.
        descriptions: Class to description, "Arousal: …, Valence: …, Dominance: …"; empty for models of bare names.
        encoder: Place of the anchor encoder on this machine; None is where the bundle's configuration says.

    Raises:
        InputError: A system whose classes are fixed, a description that cannot be used, or an encoder that is not the
            one that the anchors were made with.
    """
    if not descriptions:
        return bundle
    manifest, config = bundle.manifest, bundle.manifest.cell_config()
    if config.system.name != "FMERL":
        what = f"{config.system.name} knows only the classes that it was trained on"
        raise InputError(_OPTION, what, "leave it out, or give a bundle of FMERL")
    described = [name for name, text in descriptions.items() if text]
    if config.anchors.description == "label" and described:
        what = f"this variant reads names alone, and {described[0]} has a description"
        raise InputError(_OPTION, what, "give the name without it")
    lines = anchor_texts(list(descriptions), descriptions, config.anchors, _OPTION)
    texts = dict(zip(manifest.classes, manifest.anchor_texts, strict=True))
    texts |= dict(zip(descriptions, lines, strict=True))
    name = encoder or config.anchors.encoder
    encoded = TextEncoder(name, pooling=config.anchors.pooling)
    _check_encoder(bundle, encoded)
    vectors = dict(zip(manifest.classes, bundle.anchors, strict=True))
    vectors |= dict(zip(descriptions, torch.from_numpy(encoded.encode(lines)), strict=True))
    return bundle.with_anchors(list(texts), list(texts.values()), torch.stack([vectors[key] for key in texts]))


def _check_encoder(bundle: Bundle, encoder: TextEncoder) -> None:
    """Refuse an encoder that makes other vectors of the bundle's own texts."""
    before = bundle.anchors.numpy()
    now = encoder.encode(bundle.manifest.anchor_texts)
    if before.shape != now.shape or np.abs(now - before).max() > _TOLERANCE * np.abs(before).max():
        what = "it makes other vectors of the bundle's descriptions than the encoder of its anchors"
        raise InputError(f"anchor encoder {encoder.name}", what, "give the right one with --emotion-encoder")
