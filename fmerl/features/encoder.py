"""Interface of an encoder of a modality: utterances in, one vector each out.

Shapes: n utterances, D width of the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fmerl.corpus.dialogue import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """All that an encoder may read of one utterance."""

    utterance_id: str
    text: str = ""
    context: tuple[str, ...] = ()
    """Texts of earlier turns of the dialogue, oldest first."""
    following: tuple[str, ...] = ()
    """Texts of later turns, the next one first."""
    speaker: str = ""
    """Name of the speaker, for an encoder that reads it."""
    fold: int | None = None
    """Part of the training split whose labels the encoder must not have seen; None for an encoder of one model."""
    media: Path | None = None
    """Absolute path of the file that holds the modality; None where the corpus names none."""
    start: float | None = None
    """Start of the utterance in `media`, in seconds; None for the beginning."""
    end: float | None = None
    """End of the utterance, in seconds; None for the end of `media`."""
    side: Side | None = None
    """Half of the picture that shows the speaker; None for all of it."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Vectors that an encoder made of n utterances.

    Raises:
        ValueError: Arrays of other shapes or types, a value that is not finite, or a missing row that is not zero.
    """

    values: NDArray[np.float32]
    """Features, [n, D]."""
    missing: NDArray[np.bool_]
    """Utterances without this modality, or whose media cannot be read; their row is zero, [n]."""
    problems: tuple[str | None, ...]
    """Faults and oddities of each utterance, n texts; every missing one has a reason."""

    def __post_init__(self) -> None:
        n = len(self.problems)
        if self.values.ndim != 2 or len(self.values) != n or self.missing.shape != (n,):
            raise ValueError(f"{n} problems, values {self.values.shape} and missing {self.missing.shape} do not fit")
        if self.values.dtype != np.float32 or self.missing.dtype != np.bool_:
            raise ValueError(f"values must be float32, not {self.values.dtype}; missing bool, not {self.missing.dtype}")
        if not np.isfinite(self.values).all():
            raise ValueError("a value is NaN or infinite")
        if self.values[self.missing].any():
            raise ValueError("a missing row is not zero")
        if any(absent and not problem for absent, problem in zip(self.missing, self.problems, strict=True)):
            raise ValueError("a missing row has no reason")


class Encoder(Protocol):
    """A frozen encoder, loaded and ready. Faults of one utterance are listed in `Encoded`, never raised."""

    @property
    def modality(self) -> str:
        """Modality: `text`, `audio` or `visual`; or `knowledge`."""

    @property
    def width(self) -> int:
        """Width D."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the D features, where they have any."""

    def recipe(self) -> dict[str, Any]:
        """All that decides the vectors of an utterance, as plain JSON: model and revision, versions of the libraries
        that compute them, every setting. Batch sizes and devices are no part of it."""

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Encode n utterances; a row does not depend on the others."""


class EncoderSpec(Protocol):
    """A small picklable description of an encoder, which each worker builds for itself."""

    @property
    def modality(self) -> str:
        """Modality: `text`, `audio` or `visual`; or `knowledge`."""

    @property
    def uses_gpu(self) -> bool:
        """True if a GPU makes it faster."""

    def build(self, device: str = "cpu") -> Encoder:
        """Load the encoder onto a device; one that computes on the CPU alone stays there.

        Raises:
            InputError: A setting, file, model or optional package that is not there or cannot be used.
        """


JOINED = "joined"
"""Field of a recipe whose vectors are those of several encoders side by side: a name and a recipe for each."""


def parts_of(recipe: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Names and recipes of the encoders of a recipe; a recipe of one alone has no name."""
    return [(name, part) for name, part in recipe[JOINED]] if JOINED in recipe else [("", recipe)]


def reads_later_turns(recipe: Mapping[str, Any]) -> bool:
    """True if a recipe says that an encoder reads turns after the utterance, as a tuned one of input `both` does."""
    choices = [part.get("input") for _, part in parts_of(recipe)]
    return any(isinstance(choice, Mapping) and choice.get("input") == "both" for choice in choices)
