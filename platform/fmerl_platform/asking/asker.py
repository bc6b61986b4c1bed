"""Asking of calls: leases, retries, the journal, and repeats after unreadable answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fmerl.supervision.answers import Answer, AnswerError
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.endpoint import EndpointClient, RequestFailedError
from fmerl_platform.asking.journal import Entry, JournalWriter
from fmerl_platform.asking.limiter import Leases, Reservation, Stopped, Usage
from fmerl_platform.asking.prices import Price, Tokens, most_tokens
from fmerl_platform.asking.question import Call
from fmerl_platform.asking.reply import Reply


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Retry limits."""

    answers: int = 3
    """Answers paid for one call before its last fault stands."""
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Outcome of a call: its value, or why there is none."""

    key: str
    value: float | str | None
    error: str | None = None
    passing: bool = False
    """True if the same call may get a value in another run."""


def answer_from_journal(call: Call, answers: list[Answer], most: int) -> Answered | None:
    """The value or the last fault among earlier answers; None if the call is to be asked (again)."""
    fault = None
    for answer in answers:
        try:
            return Answered(key=call.key, value=call.read(answer))
        except AnswerError as error:
            fault = str(error)
    return Answered(key=call.key, value=None, error=fault) if len(answers) >= most else None


class Asker:
    """Asks the calls of one process, several requests at once.

    Args:
        client: Client of the endpoint.
        leases: Every request takes one.
        journal: Holds each answer before it is read.
        price: Price of tokens.
        retries: Retry limits.
        concurrency: Requests in flight.
    """

    def __init__(
        self,
        client: EndpointClient,
        leases: Leases,
        journal: JournalWriter,
        price: Price,
        retries: RetryPolicy,
        concurrency: int,
    ) -> None:
        self._client, self._leases, self._journal = client, leases, journal
        self._price, self._retries = price, retries
        self._slots = asyncio.Semaphore(concurrency)

    async def ask(self, call: Call, earlier: list[Answer]) -> Answered:
        """Ask until an answer can be read or no more may be paid for.

        Args:
            call: The call to ask.
            earlier: Answers paid for already.

        Raises:
            RequestFailedError: The endpoint refused in a way that no call will escape.
        """
        answers = list(earlier)
        while True:
            outcome = answer_from_journal(call, answers, self._retries.answers)
            if outcome is not None:
                return outcome
            try:
                answers.append(await self._answer(call, len(answers)))
            except Stopped as stop:
                return Answered(key=call.key, value=None, error=f"not asked: {stop}", passing=True)
            except RequestFailedError as failure:
                if failure.hopeless:
                    raise
                what = f"request failed: {failure}"
                return Answered(key=call.key, value=None, error=what, passing=not failure.refused)

    async def _answer(self, call: Call, unreadable: int) -> Answer:
        backoff = self._retries.backoff
        for failures in range(1, backoff.tries + 1):
            try:
                async with self._slots:
                    return await self._request(call, unreadable)
            except RequestFailedError as failure:
                if not failure.passing or failures == backoff.tries:
                    raise
                await asyncio.sleep(backoff.seconds(failures, failure.retry_after))
        raise AssertionError("a backoff has at least one try")

    async def _request(self, call: Call, unreadable: int) -> Answer:
        most = most_tokens(call.body)
        granted = Reservation(most.total, self._price.cost(most))
        await self._leases.acquire(granted)
        taken = Tokens()
        try:
            reply = await self._client.send(call, unreadable)
            taken = reply.tokens or most
            await self._journal.append(_answered_entry(call, taken, reply))
            return reply.answer
        except RequestFailedError as failure:
            if failure.charged:
                taken = most
            if failure.charged or failure.refused:
                await self._journal.append(_failed_entry(call, taken, failure))
            raise
        finally:
            self._leases.report(Usage(granted, Reservation(taken.total, self._price.cost(taken))))


def _answered_entry(call: Call, tokens: Tokens, reply: Reply) -> Entry:
    return Entry(
        key=call.key,
        at=_now(),
        model=reply.model,
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        answer=reply.answer,
    )


def _failed_entry(call: Call, tokens: Tokens, failure: RequestFailedError) -> Entry:
    return Entry(
        key=call.key,
        at=_now(),
        model="",
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        failure=str(failure),
        refused=failure.refused,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
