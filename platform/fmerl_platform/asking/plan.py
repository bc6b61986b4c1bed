"""A set of calls: outcomes from the journal, and asking for the rest."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from fmerl.errors import InputError
from fmerl_platform.asking.asker import Answered, answer_from_journal
from fmerl_platform.asking.batch.run import BatchAsker
from fmerl_platform.asking.batch.sending import BatchPolicy
from fmerl_platform.asking.batch.store import BatchStore
from fmerl_platform.asking.journal import Entry, JournalReader, cost_of
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.asking.pipeline import WorkerPool, run_calls
from fmerl_platform.asking.prices import Price, Tokens
from fmerl_platform.asking.question import Call
from fmerl_platform.asking.ways import Ways
from fmerl_platform.asking.worker import WorkerConfig
from fmerl_platform.running.progress import Counting, uncounted
from fmerl_platform.running.session import ray_session


class CallPlan(ABC):
    """Calls by key; those of the same key are made once."""

    @property
    @abstractmethod
    def calls(self) -> Mapping[str, Call]: ...

    def answered(self, journal: JournalReader, most_answers: int) -> dict[str, Answered]:
        """Outcomes known from the journal, by key."""
        found = (answer_from_journal(call, journal.answers(key), most_answers) for key, call in self.calls.items())
        return {outcome.key: outcome for outcome in found if outcome is not None}

    def unanswered(self, journal: JournalReader, most_answers: int) -> list[Call]:
        """Calls that the journal does not answer."""
        answered = self.answered(journal, most_answers)
        return [call for key, call in self.calls.items() if key not in answered]

    def entries(self, journal: JournalReader) -> Iterator[tuple[Call, Entry]]:
        """Entries of the journal for these calls."""
        for key, call in self.calls.items():
            for entry in journal.entries.get(key, ()):
                yield call, entry

    def ways(self, journal: JournalReader) -> Ways:
        """The endpoint's ways, as these calls taught them."""
        return journal.ways(self.calls)

    def tokens(self, journal: JournalReader) -> Tokens:
        """Tokens that these calls took."""
        return sum((entry.tokens for _, entry in self.entries(journal)), Tokens())

    def cost(self, journal: JournalReader, price: Price) -> float:
        """Cost of these calls so far."""
        return cost_of((entry for _, entry in self.entries(journal)), price)


@dataclass(frozen=True, kw_only=True)
class UtterancePlan(CallPlan):
    """One call for each utterance."""

    asked: Mapping[str, Call]
    """Call of each utterance, by id."""

    @cached_property
    def calls(self) -> dict[str, Call]:
        """Calls by key."""
        return {call.key: call for call in self.asked.values()}

    def by_utterance(self, outcomes: Mapping[str, Answered]) -> dict[str, Answered]:
        """Outcome of each utterance; utterances that share a call share it."""
        return {name: outcomes[call.key] for name, call in self.asked.items()}


def ask_plan(
    plan: CallPlan,
    config: WorkerConfig,
    limits: Limits,
    pool: WorkerPool,
    counting: Counting = uncounted,
    spent: float = 0.0,
    batches: BatchPolicy | None = None,
) -> dict[str, Answered]:
    """Outcome of every call, by key; Ray is only started if some are left to make directly.

    Args:
        plan: The calls.
        config: Settings of the workers.
        limits: Limits of all workers together.
        pool: Workers and requests in flight.
        counting: Shows progress.
        spent: Cost counted against the budget beside the plan's own calls.
        batches: Sizes and waits, to ask in batches; None asks directly.

    Raises:
        InputError: Calls to make directly are in a batch that was sent before.
        RequestFailedError: The endpoint takes no batch, or refuses in a way that no call will escape.
    """
    journal = JournalReader(config.journal)
    outcomes = plan.answered(journal, config.retries.answers)
    waiting = [call for key, call in plan.calls.items() if key not in outcomes]
    if not waiting:
        return outcomes
    if batches is not None:

        async def ask(policy: BatchPolicy) -> dict[str, Answered]:
            async with _batch_asker(plan, config, limits, policy, spent, counting) as asker:
                return await asker.ask(waiting)

        return outcomes | asyncio.run(ask(batches))
    if in_batches := _in_batches(waiting, config):
        what = f"{in_batches:,} of {len(waiting):,} calls to make are in batches that were sent before"
        raise InputError("--batch", what, "give it to read their answers; without it they would be paid for twice")
    spent += plan.cost(journal, config.price)
    with counting("calls", len(plan.calls), len(outcomes), "errors") as progress, ray_session():
        for outcome in run_calls(waiting, replace(config, ways=plan.ways(journal)), limits, spent, pool):
            outcomes[outcome.key] = outcome
            progress.ended(1, outcome.error is not None)
    return outcomes


def send_plan(plan: CallPlan, config: WorkerConfig, limits: Limits, batches: BatchPolicy, spent: float = 0.0) -> None:
    """Start batches for the calls that are not answered and in none; `ask_plan` waits for them.

    Args:
        plan: The calls.
        config: Settings of the endpoint.
        limits: Its budget counts.
        batches: Sizes and waits.
        spent: As for `ask_plan`.

    Raises:
        InputError, RequestFailedError: As `ask_plan`.
    """

    async def send() -> None:
        async with _batch_asker(plan, config, limits, batches, spent) as asker:
            await asker.send(plan.unanswered(JournalReader(config.journal), config.retries.answers))

    asyncio.run(send())


def _in_batches(waiting: Iterable[Call], config: WorkerConfig) -> int:
    """Number of these calls that are in batches not read yet."""
    return len({call.key for call in waiting} & BatchStore(config.journal).keys())


@asynccontextmanager
async def _batch_asker(
    plan: CallPlan,
    config: WorkerConfig,
    limits: Limits,
    batches: BatchPolicy,
    spent: float,
    counting: Counting = uncounted,
) -> AsyncIterator[BatchAsker]:
    """Asker of a plan whose first call was asked directly, or that is asked about already."""
    known = JournalReader(config.journal)

    def spent_with_plan(journal: JournalReader) -> float:
        return spent + plan.cost(journal, config.price)

    asker = BatchAsker(replace(config, ways=plan.ways(known)), limits, spent_with_plan, counting, batches)
    try:
        waiting = plan.unanswered(known, config.retries.answers)
        if waiting and not any(True for _ in plan.entries(known)) and not _in_batches(waiting, config):
            await asker.ask_first(waiting[0])
        yield asker
    finally:
        await asker.close()
