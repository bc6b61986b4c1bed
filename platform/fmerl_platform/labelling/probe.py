"""Which decoding an endpoint has: asked once, by a call whose answer is used, and told by the journal from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from fmerl.supervision.answers import Mode, whole_scores
from fmerl_platform.labelling.asking import Asker, Outcome, settled
from fmerl_platform.labelling.calls import Call, Questions
from fmerl_platform.labelling.endpoint import EndpointClient, RequestFailedError
from fmerl_platform.labelling.journal import JournalReader, JournalWriter
from fmerl_platform.labelling.limiter import Grants, Leases, Limiter, Limits, Need, Settlement
from fmerl_platform.labelling.worker import WorkerConfig

FirstCall = Callable[[Questions], Call]


def known_decoding(questions: Questions, first: FirstCall, journal: JournalReader) -> Mode | None:
    """The decoding that the journal tells of; None if the endpoint is still to be asked.

    In this order: logprobs (finest scores, one token), schema (nothing to misread), text.
    """
    for mode in _candidates(questions):
        call = first(questions.decoded(mode))
        if not _told(call, journal):
            return None
        outcome = settled(call, journal.answers(call.key), 1)
        if outcome is not None and outcome.value is not None:
            return mode
    return "text"


def ask_decoding(questions: Questions, first: FirstCall, config: WorkerConfig, limits: Limits) -> Mode:
    """Ask the endpoint, one request for each decoding until one of them is answered as it should be.

    Raises:
        RequestFailedError: It does not answer, for a reason that no decoding will cure.
    """
    while True:
        journal = JournalReader(config.journal)
        mode = known_decoding(questions, first, journal)
        if mode is not None:
            return mode
        waiting = (first(questions.decoded(candidate)) for candidate in _candidates(questions))
        call = next(call for call in waiting if not _told(call, journal))
        outcome = asyncio.run(_ask(call, config, limits))
        if outcome.value is None and not _told(call, JournalReader(config.journal)):
            raise RequestFailedError(outcome.error or "no answer")


def _candidates(questions: Questions) -> tuple[Mode, ...]:
    return ("logprobs", "schema") if whole_scores(questions.prompts.scale) else ("schema",)


def _told(call: Call, journal: JournalReader) -> bool:
    return any(entry.answer is not None or entry.refused for entry in journal.entries.get(call.key, ()))


async def _ask(call: Call, config: WorkerConfig, limits: Limits) -> Outcome:
    limiter = Limiter(limits)

    async def exchange(needs: list[Need], settled: list[Settlement]) -> Grants:
        return limiter.exchange(needs, settled)

    client, writer = EndpointClient(config.endpoint), JournalWriter(config.journal)
    try:
        patience = replace(config.patience, answers=1)
        return await Asker(client, Leases(exchange), writer, config.price, patience, 1).ask(call, [])
    finally:
        writer.close()
        await client.close()
