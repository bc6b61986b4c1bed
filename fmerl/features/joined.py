"""Several feature tables of a modality as one: their vectors side by side, joined by utterance.

Shapes: U utterances of a table, n of a batch, D width of all parts together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.card import content_digest
from fmerl.features.encoder import JOINED, Encoded, Encoder, EncoderSpec, Item, parts_of
from fmerl.features.store import FeatureTable, read_features


def read_joined(
    root: Path, corpus_name: str, modality: str, utterance_ids: Sequence[str], names: Sequence[str] = ()
) -> FeatureTable:
    """Read the table of a modality, or several by their names as one; see `read_features`.

    An utterance that is missing in any part is missing.
    """
    if not names:
        return read_features(root, corpus_name, modality, utterance_ids)
    parts = {name: read_features(root, corpus_name, modality, utterance_ids, name) for name in names}
    tables, recipe = list(parts.values()), {JOINED: [[name, table.card["recipe"]] for name, table in parts.items()]}
    if len(tables) == 1:
        return replace(tables[0], card={**tables[0].card, "recipe": recipe})
    values, missing = _side_by_side(tables)
    return FeatureTable(
        modality,
        tuple(utterance_ids),
        values,
        missing,
        {
            "recipe": recipe,
            "content_digest": content_digest([table.card["content_digest"] for table in tables]),
            **_supervision([table.card for table in tables]),
        },
    )


def _side_by_side(parts: Sequence[FeatureTable | Encoded]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values [U, D] and missing flags [U]; zeros where any part is missing."""
    missing = np.logical_or.reduce([part.missing for part in parts])
    values = np.concatenate([part.values for part in parts], axis=1)
    values[missing] = 0
    return values, missing


def _supervision(cards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Labels that any of the encoders has seen; of which classes, where all of these say it."""
    supervised = [card for card in cards if card.get("supervised_on_labels", True)]
    if not supervised:
        return {"supervised_on_labels": False}
    seen = [card.get("labels_seen") for card in supervised]
    classes = {name for each in seen if each is not None for name in each["classes"]}
    known = {} if None in seen else {"labels_seen": {"classes": sorted(classes)}}
    return {"supervised_on_labels": True, **known}


@dataclass(frozen=True, kw_only=True)
class JoinedSpec:
    """Encoders of one modality whose vectors stand side by side."""

    names: tuple[str, ...]
    specs: tuple[EncoderSpec, ...]

    @property
    def modality(self) -> str:
        return self.specs[0].modality

    @property
    def uses_gpu(self) -> bool:
        return any(spec.uses_gpu for spec in self.specs)

    def build(self, device: str = "cpu") -> JoinedEncoder:
        """Load all encoders onto a device; InputError as theirs."""
        return JoinedEncoder(self.names, [spec.build(device) for spec in self.specs])


class JoinedEncoder:
    """The `Encoder` of several of one modality; an utterance that is missing for any of them is missing."""

    columns = None

    def __init__(self, names: Sequence[str], encoders: Sequence[Encoder]) -> None:
        self._names, self._encoders = names, encoders
        self.modality = encoders[0].modality
        self.width = sum(encoder.width for encoder in encoders)

    def recipe(self) -> dict[str, Any]:
        """Recipes of the parts by their names, in their order."""
        return {JOINED: [[name, each.recipe()] for name, each in zip(self._names, self._encoders, strict=True)]}

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Vectors of n utterances, [n, D]; each part's problems are told under its name."""
        parts = [encoder.encode(items) for encoder in self._encoders]
        values, missing = _side_by_side(parts)
        told = [
            "; ".join(f"{name}: {problem}" for name, problem in zip(self._names, each, strict=True) if problem)
            for each in zip(*(part.problems for part in parts), strict=True)
        ]
        return Encoded(values, missing, tuple(each or None for each in told))


def encoders_told(recipe: Mapping[str, Any]) -> str:
    """Encoders of a recipe in words."""
    return " + ".join(str(part.get("encoder", "not made by an encoder")) for _, part in parts_of(recipe))
