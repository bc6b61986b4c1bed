"""Text features of utterances, alone or after the turns that led to them (Section 4.2).

Shapes: n utterances, E width of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from fmerl.config import DEFAULT_TEXT_ENCODER
from fmerl.errors import InputError
from fmerl.features.encoder import Encoded, Item
from fmerl.features.text.encoder import Pooling, TextEncoder, Tokens


@dataclass(frozen=True, kw_only=True)
class TextSpec:
    """Recipe of text features.

    Raises:
        InputError: A number out of its range.
    """

    encoder: str = DEFAULT_TEXT_ENCODER
    """Hub id, local folder, or `package:MODULE`."""
    pooling: Pooling = "cls"
    layer: int = -1
    max_length: int = 256
    """Tokens of an utterance with its context."""
    context: int = 0
    """Earlier turns of the dialogue that are read before the utterance."""
    batch_size: int = 64

    def __post_init__(self) -> None:
        for name, least in (("max_length", 1), ("context", 0), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise InputError(f"text {name}", f"{getattr(self, name)} is too small", f"give at least {least}")

    @property
    def modality(self) -> str:
        return "text"

    @property
    def uses_gpu(self) -> bool:
        return True

    def build(self, device: str = "cpu") -> UtteranceEncoder:
        """Load the model onto a device.

        Raises:
            InputError: See `TextEncoder`; or a model that cannot read context.
        """
        encoder = TextEncoder(
            self.encoder,
            pooling=self.pooling,
            layer=self.layer,
            max_length=self.max_length,
            batch_size=self.batch_size,
            device=device,
        )
        return UtteranceEncoder(encoder, self.context)


class UtteranceEncoder:
    """The `Encoder` of text.

    Without context, an utterance is encoded as `TextEncoder.encode` does. With context, the earlier turns stand before
    it, oldest first, each ended by the tokenizer's separator; where they do not fit, their beginning is cut, and the
    utterance never is for their sake. Mean pooling is then over the utterance's own tokens alone, without special
    ones.
    """

    modality = "text"
    columns = None

    def __init__(self, encoder: TextEncoder, context: int) -> None:
        self._encoder, self._context = encoder, context
        self._separator = encoder.separator if context else None

    @property
    def width(self) -> int:
        """Width E."""
        return self._encoder.width

    def recipe(self) -> dict[str, Any]:
        """Recipe of `fmerl.features.encoder.Encoder`."""
        libraries = {name: version(name) for name in ("torch", "transformers")}
        return {**self._encoder.recipe(), "context": self._context, "libraries": libraries}

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Vectors, [n, E]; a text without a token of its own is missing, one that is too long a listed problem."""
        texts = [item.text for item in items]
        tokens = self._encoder.tokenize(texts)
        spoken = np.array([bool(text.strip() and found.own) for text, found in zip(texts, tokens, strict=True)], bool)
        values = np.zeros((len(items), self.width), dtype=np.float32)
        sequences = [self._sequence(items[row], tokens[row]) for row in np.flatnonzero(spoken).tolist()]
        values[spoken] = self._encoder.encode_tokens([ids for ids, _ in sequences], [own for _, own in sequences])
        problems = tuple(self._problem(text, found) for text, found in zip(texts, tokens, strict=True))
        return Encoded(values=values, missing=~spoken, problems=problems)

    def _problem(self, text: str, tokens: Tokens) -> str | None:
        if not text.strip():
            return "the text is empty"
        if not tokens.own:
            return "the text has no token that the model knows"
        return f"the text is longer than {self._encoder.max_length} tokens, its end is cut" if tokens.cut else None

    def _sequence(self, item: Item, tokens: Tokens) -> tuple[list[int], range]:
        """Tokens that the model reads, and their places for mean pooling."""
        if self._separator is None:
            return tokens.ids, range(len(tokens.ids))
        turns = self._encoder.tokenize(item.context[-self._context :])
        before = [token for turn in turns for token in (*turn.ids[turn.own.start : turn.own.stop], self._separator)]
        room = self._encoder.max_length - len(tokens.ids)
        before = before[max(0, len(before) - room) :]
        first = tokens.own.start
        ids = [*tokens.ids[:first], *before, *tokens.ids[first:]]
        return ids, range(first + len(before), tokens.own.stop + len(before))
