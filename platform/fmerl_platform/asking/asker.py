"""Asking of calls: leases, retries, the journal, and repeats after unreadable answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fmerl.supervision.answers import Answer, AnswerError
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.endpoint import EndpointClient, RequestFailedError
from fmerl_platform.asking.forms import Value
from fmerl_platform.asking.journal import Entry, JournalWriter
from fmerl_platform.asking.limiter import Leases, Reservation, Stopped, Usage
from fmerl_platform.asking.prices import Price, Tokens, most_tokens
from fmerl_platform.asking.question import Call
from fmerl_platform.asking.reply import Reply
from fmerl_platform.asking.ways import Ways

_ALIKE = 5
"""Calls refused in the same words, and none answered, after which every other is expected to be refused."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Retry limits."""

    answers: int = 3
    """Answers paid for one call before its last fault stands."""
    backoff: Backoff = field(default_factory=Backoff)
    broken: int | None = None
    """Requests for one answer if the endpoint breaks over each of them; None for as many as the backoff allows."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Outcome of a call: its value, or why there is none."""

    key: str
    value: Value | None
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


class Refusals:
    """Refusals in the same words, of which a few tell that every other call will be refused.

    Args:
        answered: Whether the endpoint is known to answer; then no number of refusals tells anything.
    """

    def __init__(self, answered: bool) -> None:
        self.answered = answered
        self._alike = Counter[str]()

    def check(self, failure: RequestFailedError) -> None:
        """Raise a hopeless failure once the same was said of several calls and none was ever answered."""
        if self.answered or not failure.refused or failure.about_input:
            return
        self._alike[str(failure)] += 1
        if self._alike[str(failure)] >= _ALIKE:
            raise RequestFailedError(str(failure), hopeless=True)


class Asker:
    """Asks the calls of one process, several requests at once.

    Args:
        client: Client of the endpoint.
        leases: Every request takes one.
        journal: Holds each answer before it is read.
        price: Price of tokens.
        retries: Retry limits.
        concurrency: Requests in flight.
        answered_before: Whether the endpoint is known to answer; then no number of refusals ends the run.
    """

    def __init__(
        self,
        client: EndpointClient,
        leases: Leases,
        journal: JournalWriter,
        price: Price,
        retries: RetryPolicy,
        concurrency: int,
        answered_before: bool = False,
    ) -> None:
        self._client, self._leases, self._journal = client, leases, journal
        self._price, self._retries = price, retries
        self._slots = asyncio.Semaphore(concurrency)
        self._refusals = Refusals(answered_before)

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
                answers.append(await self.answer(call, len(answers)))
            except Stopped as stop:
                return Answered(key=call.key, value=None, error=f"not asked: {stop}", passing=True)
            except RequestFailedError as failure:
                if failure.hopeless:
                    raise
                self._refusals.check(failure)
                what = f"request failed: {failure}"
                return Answered(key=call.key, value=None, error=what, passing=not failure.refused)

    async def answer(self, call: Call, unreadable: int) -> Answer:
        """One answer, readable or not, after as many tries as the retry limits allow.

        Args:
            call: What is asked.
            unreadable: Answers before this one, none of which could be read.

        Raises:
            RequestFailedError: There is none.
            Stopped: No more may be asked.
        """
        backoff, failures = self._retries.backoff, 0
        while True:
            try:
                async with self._slots:
                    return await self._request(call, unreadable)
            except RequestFailedError as failure:
                if failure.obeyed:
                    continue
                failures += 1
                tries = min(backoff.tries, self._retries.broken or backoff.tries) if failure.broken else backoff.tries
                if not failure.passing or failures >= tries:
                    raise
                await asyncio.sleep(backoff.seconds(failures, failure.retry_after))

    async def _request(self, call: Call, unreadable: int) -> Answer:
        most = most_tokens(call.body)
        granted = Reservation(most.total, self._price.cost(most))
        await self._leases.acquire(granted)
        taken = Tokens()
        try:
            reply = await self._client.send(call, unreadable)
            taken = reply.tokens or most
            self._refusals.answered = True
            await self._journal.append(answered_entry(call.key, taken, reply, self._client.ways))
            return reply.answer
        except RequestFailedError as failure:
            if failure.charged:
                taken = most
            if failure.charged or failure.refused:
                await self._journal.append(failed_entry(call.key, taken, failure, self._client.ways))
            raise
        finally:
            self._leases.report(Usage(granted, Reservation(taken.total, self._price.cost(taken))))


def answered_entry(key: str, tokens: Tokens, reply: Reply, ways: Ways, batch: str = "") -> Entry:
    """The journal's line about a call with an answer, readable or not."""
    return Entry(
        key=key,
        at=_now(),
        model=reply.model,
        ways=ways,
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        cached_tokens=tokens.cached,
        answer=reply.answer,
        batch=batch,
    )


def failed_entry(
    key: str, tokens: Tokens, failure: RequestFailedError, ways: Ways, refused: bool | None = None, batch: str = ""
) -> Entry:
    """The journal's line about a call without an answer; refused as the failure says, unless it is known better."""
    return Entry(
        key=key,
        at=_now(),
        model="",
        ways=ways,
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        failure=str(failure),
        refused=failure.refused if refused is None else refused,
        batch=batch,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
