"""One limiter for all workers: requests and tokens per minute, and a budget that is never exceeded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_POLL_SECONDS = 0.2
_NOTHING = 1e-12
"""Rounding error that reservations may leave after all are given back."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one run; None is no limit."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    budget: float | None = None
    """Most to spend, earlier spending included, in the price table's currency."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Most tokens and cost that a request may take."""

    tokens: int
    cost: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Amount that a request took of its reservation."""

    granted: Reservation
    taken: Reservation


@dataclass(frozen=True)
class Grants:
    """Seconds until each request may be sent, None to ask again; nothing is granted once `stopped` gives a reason."""

    delays: list[float | None] = field(default_factory=list)
    stopped: str | None = None


class Stopped(Exception):  # noqa: N818 - the run's end, not a fault of a call
    """No more requests may be sent in this run."""


class Limiter:
    """Paces requests evenly: after each, the next waits for the share of a minute that it takes.

    Run as one Ray actor; plain Python, so that it can be tested with a clock of its own.

    Args:
        limits: Limits of the run.
        spent: Cost already counted against the budget.
        longest: Seconds after which the usage of a request that was sent is known, or its worker is lost.
        clock: Clock in seconds.
    """

    def __init__(
        self, limits: Limits, spent: float = 0.0, longest: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits, self._spent, self._longest, self._clock = limits, spent, longest, clock
        self._reserved, self._idle_by = 0.0, clock()
        self._requests_free = self._tokens_free = clock()
        self._stopped: str | None = None

    def exchange(self, needs: list[Reservation], used: list[Usage]) -> Grants:
        """Take back what requests did not use, and grant as many of `needs` as possible, in order."""
        for item in used:
            self._reserved -= item.granted.cost
            self._spent += item.taken.cost
            if self._limits.tokens_per_minute is not None:
                self._tokens_free -= 60 * (item.granted.tokens - item.taken.tokens) / self._limits.tokens_per_minute
        if self._stopped is not None:
            return Grants(stopped=self._stopped)
        delays: list[float | None] = []
        for need in needs:
            budget = self._limits.budget
            if budget is not None and self._spent + self._reserved + need.cost > budget:
                if self._reserved <= _NOTHING or self._clock() > self._idle_by:
                    self._stopped = "the budget is reached"
                delays += [None] * (len(needs) - len(delays))
                break
            self._reserved += need.cost
            delays.append(delay := self._delay(need))
            self._idle_by = max(self._idle_by, self._clock() + delay + self._longest)
        return Grants(delays=delays, stopped=self._stopped)

    def stop(self, reason: str) -> None:
        """Grant nothing from now on."""
        self._stopped = self._stopped or reason

    def _delay(self, need: Reservation) -> float:
        now = self._clock()
        start = max(now, self._requests_free, self._tokens_free)
        if self._limits.requests_per_minute is not None:
            self._requests_free = start + 60 / self._limits.requests_per_minute
        if self._limits.tokens_per_minute is not None:
            self._tokens_free = max(now, self._tokens_free) + 60 * need.tokens / self._limits.tokens_per_minute
        return start - now


Exchange = Callable[[list[Reservation], list[Usage]], Awaitable[Grants]]


class Leases:
    """One worker's side of the limiter: requests that wait together are asked for in one message."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._waiting: list[tuple[Reservation, asyncio.Future[float]]] = []
        self._used: list[Usage] = []
        self._asking: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, limiter: Limiter) -> Leases:
        """The leases of a process that has the limiter to itself."""

        async def exchange(needs: list[Reservation], used: list[Usage]) -> Grants:
            return limiter.exchange(needs, used)

        return cls(exchange)

    async def acquire(self, need: Reservation) -> None:
        """Return when a request may be sent.

        Raises:
            Stopped: It never may.
        """
        granted: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((need, granted))
        self._wake()
        delay = await granted
        if delay > 0:
            await asyncio.sleep(delay)

    def report(self, usage: Usage) -> None:
        """Report what a granted request took."""
        self._used.append(usage)
        self._wake()

    async def close(self) -> None:
        """Return when all usage is reported."""
        while self._asking is not None:
            await asyncio.shield(self._asking)

    def _wake(self) -> None:
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            while self._waiting or self._used:
                await self._ask_once()
        except Exception as error:
            for _, granted in self._waiting:
                granted.set_exception(error)
            self._waiting = []
        finally:
            self._asking = None

    async def _ask_once(self) -> None:
        # Whoever becomes ready in this turn of the loop shares the message.
        await asyncio.sleep(0)
        waiting = list(self._waiting)
        used, self._used = self._used, []
        grants = await self._exchange([need for need, _ in waiting], used)
        del self._waiting[: len(waiting)]
        again = []
        for index, (need, granted) in enumerate(waiting):
            delay = grants.delays[index] if index < len(grants.delays) else None
            if delay is not None:
                granted.set_result(delay)
            elif grants.stopped is not None:
                granted.set_exception(Stopped(grants.stopped))
            else:
                again.append((need, granted))
        self._waiting = again + self._waiting
        if again:
            await asyncio.sleep(_POLL_SECONDS)
