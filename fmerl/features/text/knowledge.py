"""Features of knowledge: the sentences about each utterance, encoded one by one and put side by side.

Shapes: n utterances, R relations, E width of the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fmerl.config import KNOWLEDGE, RELATIONS
from fmerl.features.encoder import Encoded, Item
from fmerl.features.text.utterances import TextSpec, UtteranceEncoder


@dataclass(frozen=True, kw_only=True)
class KnowledgeSpec:
    """Recipe of a table of knowledge."""

    text: TextSpec = field(default_factory=TextSpec)
    """Encoder of a sentence."""
    sentences: Mapping[str, Any] = field(default_factory=dict)
    """What made the sentences, for the card."""

    @property
    def modality(self) -> str:
        return KNOWLEDGE

    @property
    def uses_gpu(self) -> bool:
        return self.text.uses_gpu

    def build(self, device: str = "cpu") -> KnowledgeEncoder:
        """Load the encoder onto a device."""
        return KnowledgeEncoder(self.text.build(device), self.sentences)


class KnowledgeEncoder:
    """The `Encoder` of knowledge; an item's context is a sentence for each relation, or nothing without an answer."""

    modality = KNOWLEDGE
    columns = None

    def __init__(self, encoder: UtteranceEncoder, sentences: Mapping[str, Any]) -> None:
        self._encoder, self._sentences = encoder, sentences

    @property
    def width(self) -> int:
        """R E."""
        return len(RELATIONS) * self._encoder.width

    def recipe(self) -> dict[str, Any]:
        """Recipe of `fmerl.features.encoder.Encoder`."""
        return {**self._encoder.recipe(), "relations": list(RELATIONS), "sentences": dict(self._sentences)}

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Vectors, [n, R E]; an utterance without sentences is missing."""
        told = [item for item in items if item.context]
        found = self._encoder.encode([Item(utterance_id="", text=text) for item in told for text in item.context])
        there = np.array([bool(item.context) for item in items], bool)
        values = np.zeros((len(items), self.width), dtype=np.float32)
        values[there] = found.values.reshape(len(told), self.width)
        problems = tuple(None if item.context else "the language model said nothing of it" for item in items)
        return Encoded(values=values, missing=~there, problems=problems)
