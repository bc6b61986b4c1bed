"""The limiter: never faster than allowed, never dearer than allowed, and no longer waits than needed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl_platform.asking.limiter import Grants, Leases, Limiter, Limits, Reservation, Stopped, Usage

FREE = Reservation(tokens=1, cost=0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.integers(1, 300))
def test_requests_per_minute_hold_in_every_minute(pauses: list[float], rate: int) -> None:
    clock = Clock()
    limiter = Limiter(Limits(requests_per_minute=rate), clock=clock)
    sent = []
    for pause in pauses:
        clock.now += pause
        [delay] = limiter.exchange([FREE], []).delays
        assert delay is not None
        assert delay >= 0
        sent.append(clock.now + delay)
    for start in sent:
        assert sum(start <= time < start + 60 - 1e-6 for time in sent) <= rate


@given(st.lists(st.integers(1, 500), min_size=2, max_size=40), st.integers(100, 5000))
def test_tokens_per_minute_hold_in_every_minute(tokens: list[int], rate: int) -> None:
    limiter = Limiter(Limits(tokens_per_minute=rate), clock=Clock())
    granted = limiter.exchange([Reservation(count, 0.0) for count in tokens], []).delays
    delays = [delay for delay in granted if delay is not None]
    assert len(delays) == len(tokens)
    for start in delays:
        # The last request may begin just before the minute ends.
        inside = [count for delay, count in zip(delays, tokens, strict=True) if start <= delay < start + 60 - 1e-6]
        assert sum(inside[:-1]) <= rate


def test_tokens_that_were_not_taken_are_given_back() -> None:
    limiter = Limiter(Limits(tokens_per_minute=60), clock=Clock())
    assert limiter.exchange([Reservation(30, 0.0)], []).delays == [0]
    assert limiter.exchange([Reservation(30, 0.0)], []).delays == [30]
    taken = Usage(Reservation(30, 0.0), Reservation(10, 0.0))
    assert limiter.exchange([Reservation(30, 0.0)], [taken]).delays == [pytest.approx(40)]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), max_size=40), st.integers(0, 300))
def test_budget_is_never_exceeded_and_never_left_unused(costs: list[tuple[int, int]], budget: int) -> None:
    limiter = Limiter(Limits(budget=budget))
    spent = 0
    used: list[Usage] = []
    for most, share in costs:
        taken = min(most, share)
        grants = limiter.exchange([Reservation(1, most)], used)
        if grants.stopped or not grants.delays or grants.delays[0] is None:
            assert spent + most > budget
            break
        used = [Usage(Reservation(1, most), Reservation(1, taken))]
        spent += taken
        assert spent <= budget


def test_budget_waits_for_requests_under_way_before_it_stops() -> None:
    limiter = Limiter(Limits(budget=10))
    assert limiter.exchange([Reservation(1, 6)], []).delays == [0]
    assert limiter.exchange([Reservation(1, 6)], []) == Grants(delays=[None])
    assert limiter.exchange([Reservation(1, 6)], [Usage(Reservation(1, 6), Reservation(1, 2))]).delays == [0]
    grants = limiter.exchange([Reservation(1, 6)], [Usage(Reservation(1, 6), Reservation(1, 6))])
    assert grants == Grants(delays=[None], stopped="the budget is reached")


def test_budget_reserved_by_a_lost_worker_holds_nobody_up() -> None:
    clock = Clock()
    limiter = Limiter(Limits(budget=10, requests_per_minute=1), longest=30, clock=clock)
    assert limiter.exchange([Reservation(1, 3), Reservation(1, 3)], []).delays == [0, 60]
    clock.now += 60 + 29
    assert limiter.exchange([Reservation(1, 6)], []).stopped is None
    clock.now += 2
    assert limiter.exchange([Reservation(1, 6)], []).stopped == "the budget is reached"


def test_what_was_spent_before_counts() -> None:
    assert Limiter(Limits(budget=10), spent=9.5).exchange([Reservation(1, 1)], []).stopped == "the budget is reached"


def test_stop_grants_nothing_more() -> None:
    limiter = Limiter(Limits())
    limiter.stop("the key is refused")
    limiter.stop("later")
    assert limiter.exchange([FREE], []) == Grants(stopped="the key is refused")


def test_leases_that_wait_together_share_a_message_and_end_together() -> None:
    messages = []

    async def exchange(needs: list[Reservation], used: list[Usage]) -> Grants:
        messages.append(len(needs))
        return Grants(delays=[0.0] * len(needs)) if len(messages) == 1 else Grants(stopped="enough")

    async def run() -> list[object]:
        leases = Leases(exchange)
        await asyncio.gather(*(leases.acquire(FREE) for _ in range(10)))
        return await asyncio.gather(*(leases.acquire(FREE) for _ in range(5)), return_exceptions=True)

    stops = asyncio.run(run())
    assert messages == [10, 5]
    assert all(isinstance(stop, Stopped) and str(stop) == "enough" for stop in stops)


def test_lost_limiter_fails_those_that_wait() -> None:
    async def exchange(needs: list[Reservation], used: list[Usage]) -> Grants:
        raise ConnectionError("the actor died")

    async def run() -> list[object]:
        leases = Leases(exchange)
        return await asyncio.gather(*(leases.acquire(FREE) for _ in range(3)), return_exceptions=True)

    assert [type(error) for error in asyncio.run(run())] == [ConnectionError] * 3
