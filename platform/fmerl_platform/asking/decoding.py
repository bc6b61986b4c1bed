"""Decoding that an endpoint supports: found out once, by a call whose answer is used, then read from the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from fmerl.supervision.answers import Mode, whole_scores
from fmerl_platform.asking.asker import Asker, answer_from_journal, failed_entry
from fmerl_platform.asking.endpoint import EndpointClient, RequestFailedError
from fmerl_platform.asking.journal import JournalReader, JournalWriter
from fmerl_platform.asking.limiter import Leases, Limiter, Limits, Stopped
from fmerl_platform.asking.prices import Tokens
from fmerl_platform.asking.question import Call, Questions
from fmerl_platform.asking.worker import WorkerConfig

_BROKEN_TRIES = 3
"""Requests in one decoding, if the endpoint breaks over each, before the next decoding is tried."""

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

    An endpoint that breaks over a decoding and answers in the next is taken to refuse the former: some servers stumble
    over optional parts of a request in other words than a refusal's.

    Raises:
        RequestFailedError: It answers in none of them, text included.
    """
    journal = JournalReader(config.journal)
    mode = known_decoding(candidates, first, journal)
    if mode is not None:
        return mode
    known = replace(config, ways=journal.ways(call.key for call in map(first, candidates)))
    calls = [first(mode) for mode in (*candidates, "text")]
    asyncio.run(_ask_in_turn(calls, journal, known, Limiter(limits, spent)))
    mode = known_decoding(candidates, first, JournalReader(config.journal))
    assert mode is not None, "each candidate was answered or refused"
    return mode


def score_decodings(questions: Questions) -> tuple[Mode, ...]:
    """Decodings to try, in order: logprobs (finest scores, one token), schema (nothing to misread)."""
    first_token = questions.prompts.questions == "three" and whole_scores(questions.prompts.scale)
    return ("logprobs", "schema") if first_token else ("schema",)


def _told(call: Call, journal: JournalReader) -> bool:
    return any(entry.answer is not None or entry.refused for entry in journal.entries.get(call.key, ()))


async def _ask_in_turn(calls: Sequence[Call], journal: JournalReader, config: WorkerConfig, limiter: Limiter) -> None:
    """Ask until a call has a value, and note the broken ones before an answer as refused."""
    client, writer = EndpointClient(config.endpoint, config.ways), JournalWriter(config.journal)
    try:
        retries = replace(config.retries, broken=_BROKEN_TRIES)
        asker = Asker(client, Leases.of(limiter), writer, config.price, retries, 1)
        broken: dict[str, RequestFailedError] = {}
        for call in calls:
            answers = journal.answers(call.key)
            if not _told(call, journal):
                try:
                    answers = [await asker.answer(call, 0)]
                except RequestFailedError as failure:
                    if failure.refused:
                        continue
                    if not failure.broken:
                        raise
                    broken[call.key] = failure
            if answers:
                for key, why in broken.items():
                    await writer.append(failed_entry(key, Tokens(), why, client.ways, refused=True))
                broken = {}
            outcome = answer_from_journal(call, answers, 1)
            if outcome is not None and outcome.value is not None:
                return
        if broken:
            raise next(iter(broken.values()))
    except Stopped as stop:
        raise RequestFailedError(f"not asked: {stop}") from None
    finally:
        writer.close()
        await client.close()
