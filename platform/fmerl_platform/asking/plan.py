"""A set of calls: outcomes from the journal, and asking for the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace

from fmerl_platform.asking.asker import Answered, answer_from_journal
from fmerl_platform.asking.journal import Entry, JournalReader
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.asking.pipeline import WorkerPool, run_calls
from fmerl_platform.asking.prices import Tokens
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
        taken = (Tokens(entry.prompt_tokens, entry.completion_tokens) for _, entry in self.entries(journal))
        return sum(taken, Tokens())


def ask_plan(
    plan: CallPlan,
    config: WorkerConfig,
    limits: Limits,
    pool: WorkerPool,
    counting: Counting = uncounted,
    spent: float = 0.0,
) -> dict[str, Answered]:
    """Outcome of every call, by key; Ray is only started if some are left to make.

    Args:
        plan: The calls.
        config: Settings of the workers.
        limits: Limits of all workers together.
        pool: Workers and requests in flight.
        counting: Shows progress.
        spent: Cost counted against the budget beside the plan's own calls.
    """
    journal = JournalReader(config.journal)
    outcomes = plan.answered(journal, config.retries.answers)
    waiting = [call for key, call in plan.calls.items() if key not in outcomes]
    if not waiting:
        return outcomes
    spent += config.price.cost(plan.tokens(journal))
    with counting("calls", len(plan.calls), len(outcomes), "errors") as progress, ray_session(0):
        for outcome in run_calls(waiting, replace(config, ways=plan.ways(journal)), limits, spent, pool):
            outcomes[outcome.key] = outcome
            progress.ended(1, outcome.error is not None)
    return outcomes
