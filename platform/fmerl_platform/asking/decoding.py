"""Decoding that an endpoint supports: found out once, by a call whose answer is used, then read from the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from fmerl.supervision.answers import Mode, whole_scores
from fmerl_platform.asking.asker import Answered, Asker, answer_from_journal
from fmerl_platform.asking.endpoint import EndpointClient, RequestFailedError
from fmerl_platform.asking.journal import JournalReader, JournalWriter
from fmerl_platform.asking.limiter import Grants, Leases, Limiter, Limits, Reservation, Usage
from fmerl_platform.asking.question import Call, Questions
from fmerl_platform.asking.worker import WorkerConfig

FirstCall = Callable[[Mode], Call]
"""Maker of the call that finds out whether a decoding works."""


def known_decoding(candidates: Sequence[Mode], first: FirstCall, journal: JournalReader) -> Mode | None:
    """The decoding known from the journal; None if the endpoint is still to be asked.

    The first of the candidates that works, else text.
    """
    for mode in candidates:
        call = first(mode)
        if not _told(call, journal):
            return None
        outcome = answer_from_journal(call, journal.answers(call.key), 1)
        if outcome is not None and outcome.value is not None:
            return mode
    return "text"


def ask_decoding(
    candidates: Sequence[Mode], first: FirstCall, config: WorkerConfig, limits: Limits, spent: float = 0.0
) -> Mode:
    """Ask the endpoint, one request for each decoding until one is answered correctly.

    Raises:
        RequestFailedError: It does not answer, for a reason that no decoding will cure.
    """
    while True:
        journal = JournalReader(config.journal)
        mode = known_decoding(candidates, first, journal)
        if mode is not None:
            return mode
        call = next(call for call in map(first, candidates) if not _told(call, journal))
        outcome = asyncio.run(_ask(call, config, Limiter(limits, spent)))
        if outcome.value is None and not _told(call, JournalReader(config.journal)):
            raise RequestFailedError(outcome.error or "no answer")


def score_decodings(questions: Questions) -> tuple[Mode, ...]:
    """Decodings to try, in order: logprobs (finest scores, one token), schema (nothing to misread)."""
    return ("logprobs", "schema") if whole_scores(questions.prompts.scale) else ("schema",)


def _told(call: Call, journal: JournalReader) -> bool:
    return any(entry.answer is not None or entry.refused for entry in journal.entries.get(call.key, ()))


async def _ask(call: Call, config: WorkerConfig, limiter: Limiter) -> Answered:
    async def exchange(needs: list[Reservation], used: list[Usage]) -> Grants:
        return limiter.exchange(needs, used)

    client, writer = EndpointClient(config.endpoint), JournalWriter(config.journal)
    try:
        retries = replace(config.retries, answers=1)
        return await Asker(client, Leases(exchange), writer, config.price, retries, 1).ask(call, [])
    finally:
        writer.close()
        await client.close()
