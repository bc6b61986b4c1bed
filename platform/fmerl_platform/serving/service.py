"""What the routes need of the models: rows for a conversation, and what is told of the bundle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fmerl.corpus.dialogue import Utterance
from fmerl_platform.serving.options import Limits

Conversation = Sequence[Utterance]
"""Utterances of one dialogue, in the order in which their rows are wanted."""
Rows = list[dict[str, Any]]
"""A row for each utterance, as `fmerl predict` writes it."""
Ask = Callable[[Conversation], Awaitable[Rows]]
"""Rows of one conversation; raises `RefusedError`."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a client is told of the bundle."""

    system: str
    corpus: str
    """Corpus that it was trained on."""
    classes: tuple[str, ...]
    vad_range: tuple[float, float]
    """Range of valence, arousal and dominance."""
    seeds: tuple[int, ...]
    missing: tuple[str, ...]
    """Modalities that the models read and no request brings."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """Models behind the routes."""

    about: About
    limits: Limits
    ask: Ask
    replicas: Callable[[], Awaitable[int]]
    """Replicas that are ready."""
    hosts: Sequence[str] = ("*",)
    """Names that requests may address this service by: a foreign page whose name was made to lead here is refused."""
