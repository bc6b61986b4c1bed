"""What clients send, as utterances: bounded, checked, and without any path or address that it may name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from fmerl.corpus.conversations import parse_turns, pieces
from fmerl.corpus.dialogue import Utterance
from fmerl.corpus.tables import Row
from fmerl.errors import InputError
from fmerl_platform.serving.options import Limits

TOO_LARGE, BAD_FORM, UNUSABLE, BUSY, TOO_SLOW = 413, 415, 422, 503, 504
"""Statuses of HTTP for what is refused."""

_NAMES = ("speaker", "utterance_id", "dialogue_id")
_KEPT = (*_NAMES, "turn", "text")
"""Cells that are read; media are named by paths, and a client's are never opened."""
_NAME_CHARACTERS = 200
_SOURCE = Path("conversation")
"""Name of what was sent, in errors and as a conversation's that has none."""


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: Status of HTTP.
        message: One line for the client.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


def read_conversations(
    content: bytes, limits: Limits, vad_range: tuple[float, float], *, csv: bool
) -> Sequence[Utterance]:
    """Utterances in the order that they were sent in.

    Args:
        content: Body of a request: a CSV, or chat JSON as `fmerl predict` reads it.
        limits: The bounds.
        vad_range: The models' range of valence, arousal and dominance.
        csv: Whether it is a CSV.

    Raises:
        RefusedError: Too much of anything, or no conversation.
    """
    return checked(read_rows(content, limits.conversations * limits.turns, csv=csv), limits, vad_range)


def read_rows(content: bytes, most: int, *, csv: bool = False) -> list[Row]:
    """Turns of a request or of a message.

    Args:
        content: A CSV or chat JSON.
        most: Most turns.
        csv: Whether it is a CSV.

    Raises:
        RefusedError: More turns than that, or none that can be read.
    """
    try:
        rows = list(islice(parse_turns(_SOURCE, content, csv=csv), most + 1))
    except InputError as error:
        raise RefusedError(UNUSABLE, str(error)) from None
    if len(rows) > most:
        raise RefusedError(TOO_LARGE, f"more than {most:,} turns; send them in parts, or use fmerl predict")
    return [replace(row, cells={name: row[name] for name in _KEPT if name in row.cells}) for row in rows]


def checked(rows: Sequence[Row], limits: Limits, vad_range: tuple[float, float]) -> Sequence[Utterance]:
    """Rows as utterances, in their order.

    Raises:
        RefusedError: Too much of anything, or a row that is no utterance.
    """
    for row in rows:
        _check_length(row, "text", limits.characters)
        for name in _NAMES:
            _check_length(row, name, _NAME_CHARACTERS)
    try:
        utterances = next(pieces(rows, vad_range, len(rows)), None)
    except InputError as error:
        raise RefusedError(UNUSABLE, str(error)) from None
    if utterances is None:
        raise RefusedError(UNUSABLE, f"{_SOURCE}: it has no turn; send at least one")
    lengths = [len(conversation) for conversation in by_conversation(utterances)]
    if len(lengths) > limits.conversations:
        raise RefusedError(TOO_LARGE, f"{len(lengths):,} conversations, and at most {limits.conversations:,} are taken")
    if max(lengths) > limits.turns:
        raise RefusedError(
            TOO_LARGE, f"a conversation of {max(lengths):,} turns, and at most {limits.turns:,} are taken"
        )
    return utterances


def by_conversation(utterances: Iterable[Utterance]) -> list[list[Utterance]]:
    """Utterances of each dialogue, in the order that they have."""
    found: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        found.setdefault(utterance.dialogue_id, []).append(utterance)
    return list(found.values())


def _check_length(row: Row, name: str, most: int) -> None:
    if (length := len(row.cells.get(name, ""))) > most:
        what = f"{name} has {length:,} characters, and at most {most:,} are taken"
        raise RefusedError(TOO_LARGE, str(row.error(what, "shorten it")))
