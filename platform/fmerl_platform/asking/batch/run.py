"""Asking in batches: prepare, send, wait, read, and again for what is missing."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from fmerl_platform.asking.asker import Answered, Asker, Refusals, answer_from_journal
from fmerl_platform.asking.batch.client import BatchClient, BatchState
from fmerl_platform.asking.batch.lines import files_of, request_line
from fmerl_platform.asking.batch.reading import BatchReader
from fmerl_platform.asking.batch.sending import BatchPolicy, BatchSender, patiently
from fmerl_platform.asking.batch.store import BatchStore, Submission
from fmerl_platform.asking.endpoint import EndpointClient, RequestFailedError
from fmerl_platform.asking.journal import JournalReader, JournalWriter
from fmerl_platform.asking.limiter import Leases, Limiter, Limits
from fmerl_platform.asking.prices import most_tokens
from fmerl_platform.asking.question import Call
from fmerl_platform.asking.worker import WorkerConfig
from fmerl_platform.running.progress import CountEvents, Counting

_QUEUE_FULL = "token_limit_exceeded"
"""Code of a batch that was refused since the tokens of all batches in the queue are too many."""
_OUT_OF_BUDGET = "not asked: the budget is reached"

Failures: TypeAlias = dict[str, RequestFailedError]
"""Reasons why requests have no answer, by key."""

_log = logging.getLogger(__name__)


class BatchAsker:
    """Asks the calls of one model in as few batches as the limits allow.

    Each step is on disk before the next: a process that is killed anywhere is followed by one that goes on from there,
    and no request is paid for twice.

    Args:
        config: Endpoint, journal, prices and retry limits.
        limits: Its budget counts; its rates do not, since batches have a queue of their own.
        spent: Cost that counts against the budget, by the journal.
        counting: Shows the endpoint's own count of the requests that are done.
        policy: Sizes and waits.
    """

    def __init__(
        self,
        config: WorkerConfig,
        limits: Limits,
        spent: Callable[[JournalReader], float],
        counting: Counting,
        policy: BatchPolicy,
    ) -> None:
        self._config, self._limits, self._spent, self._counting, self._policy = config, limits, spent, counting, policy
        self._store, self._journal = BatchStore(config.journal), JournalReader(config.journal)
        self._client, self._writer = EndpointClient(config.endpoint, config.ways), JournalWriter(config.journal)
        self._files = BatchClient(self._client)
        self._sender = BatchSender(self._files, self._store, config.endpoint.base_url, config.retries.backoff, policy)
        self._reader = BatchReader(self._client, self._files, self._journal, self._writer)
        self._refusals = Refusals(self._journal.has_answers())
        self._refused_batches, self._cancelled = Counter[str](), set[str]()
        self._most_requests, self._one_at_a_time = policy.most_requests, False

    async def close(self) -> None:
        self._writer.close()
        await self._client.close()

    async def ask_first(self, call: Call) -> None:
        """Ask one call directly: a wrong key, model or field shows at once, and not after a day.

        Raises:
            RequestFailedError: The endpoint refuses in a way that no call will escape.
        """
        limiter = Limiter(self._limits, self._spent(self._journal))
        leases = Leases.of(limiter)
        asker = Asker(self._client, leases, self._writer, self._config.price, self._config.retries, 1)
        await asker.ask(call, self._journal.answers(call.key))
        self._journal.refresh()

    async def send(self, calls: Sequence[Call]) -> dict[Submission, BatchState]:
        """Start a batch for every call that is in none, within the budget; returns the batches of all these calls.

        Raises:
            InputError: Some were sent to another endpoint.
            RequestFailedError: The endpoint takes no batch.
        """
        wanted = {call.key: call for call in calls}
        submissions, sent = [], set[str]()
        for submission in self._store.open():
            requests = self._store.requests(submission)
            if all(self._reader.has_read(key, submission) for key in requests):
                # Its last answer came to the journal before the record could tell.
                self._store.save(submission, ended="read")
            elif keys := requests.keys() & wanted.keys():
                submissions.append(submission)
                sent |= keys
        submissions += self._prepared([call for key, call in wanted.items() if key not in sent])
        return dict([await self._sender.start(submission) for submission in submissions])

    async def ask(self, calls: Sequence[Call]) -> dict[str, Answered]:
        """Outcome of every call, by key.

        Raises:
            InputError, RequestFailedError: As `send`; or the endpoint refuses in a way that no call will escape.
        """
        outcomes: dict[str, Answered] = {}
        failures: Failures = {}
        tries, backoff, most_answers = Counter[str](), self._config.retries.backoff, self._config.retries.answers
        while True:
            for call in calls:
                known = answer_from_journal(call, self._journal.answers(call.key), most_answers)
                outcome = known or self._given_up(call.key, failures.get(call.key), tries)
                if outcome is not None:
                    outcomes[call.key] = outcome
            waiting = [call for call in calls if call.key not in outcomes]
            running = await self.send(waiting) if waiting else {}
            if not running:
                break
            failures = await self._collect(running)
            self._journal.refresh()
            if tries or self._refused_batches:
                await asyncio.sleep(backoff.seconds(max(1, *tries.values(), *self._refused_batches.values()), None))
        rest = (Answered(key=call.key, value=None, error=_OUT_OF_BUDGET, passing=True) for call in waiting)
        return outcomes | {outcome.key: outcome for outcome in rest}

    def _given_up(self, key: str, failure: RequestFailedError | None, tries: Counter[str]) -> Answered | None:
        """The outcome of a call whose request failed; None if it is to be asked again."""
        if failure is None or failure.obeyed:
            return None
        tries[key] += 1
        if failure.passing and key not in self._cancelled and tries[key] < self._config.retries.backoff.tries:
            return None
        return Answered(key=key, value=None, error=f"request failed: {failure}", passing=not failure.refused)

    def _prepared(self, calls: Sequence[Call]) -> Iterator[Submission]:
        """Batches on disk for these calls, or for the first of them, as far as the budget goes."""
        cost, ways = self._config.price.cost, self._client.ways
        left = math.inf
        if self._limits.budget is not None:
            pending = sum(submission.most_cost for submission in self._store.open())
            left = self._limits.budget - self._spent(self._journal) - pending
        affordable, most_costs = [], dict[str, float]()
        for call in calls:
            body = ways.fit(call.request(len(self._journal.answers(call.key))))
            most_costs[call.key] = cost(most_tokens(body), in_batch=True)
            left -= most_costs[call.key]
            if left < 0:
                break
            affordable.append((call.key, request_line(call.key, body)))
        for file in files_of(affordable, self._most_requests, self._policy.most_bytes):
            most_cost = sum(most_costs[key] for key, _ in file)
            base_url = self._config.endpoint.base_url
            yield self._store.prepare((line for _, line in file), len(file), base_url, most_cost, ways)
            if self._one_at_a_time:
                return

    async def _collect(self, running: dict[Submission, BatchState]) -> Failures:
        """Wait for every batch and read it as soon as it has ended; returns the requests without an answer."""
        failures: Failures = {}
        waited, total = 0.0, sum(submission.requests for submission in running)
        shown = dict.fromkeys(running, (0, 0))
        with self._counting("requests in batches", total, 0, "failed") as progress:
            progress.ended(0, 0)
            while True:
                for submission, state in list(running.items()):
                    shown[submission] = _show(progress, state, shown[submission])
                    if state.ended:
                        del running[submission]
                        failures |= await self._end(submission, state, alone=not running)
                if not running:
                    return failures
                pause = min(self._policy.last_poll, max(self._policy.first_poll, waited / 10))
                await asyncio.sleep(pause)
                waited += pause
                for submission in running:
                    running[submission] = await self._sender.state(submission)

    async def _end(self, submission: Submission, state: BatchState, alone: bool) -> Failures:
        """Read a batch that has ended."""
        requests = self._store.requests(submission)
        remedy = f"to ask its requests again, and pay for them again, delete {self._store.record_file(submission)}"
        failures = await patiently(
            lambda: self._reader.read(submission, state, requests), self._config.retries.backoff, remedy
        )
        self._store.save(submission, ended=state.status)
        answered = len(requests) - len(failures)
        _log.info("batch %s is %s: %d of %d requests answered", state.id, state.status, answered, len(requests))
        if state.status == "failed":
            self._refused(submission, state, alone)
            return {}
        self._refusals.answered |= answered > 0
        if state.status == "cancelled":
            self._cancelled |= failures.keys()
        for failure in failures.values():
            if failure.hopeless:
                raise failure
            self._refusals.check(failure)
        return failures

    def _refused(self, submission: Submission, state: BatchState, alone: bool) -> None:
        """Ask for less at once if a batch was too much, else once more; raise if neither can help."""
        told = "; ".join(f"{code}: {message}" for code, message in state.errors) or "no reason is told"
        what = f"batch {state.id} failed ({self._client.redact(told)})"
        if any(code == _QUEUE_FULL for code, _ in state.errors) and submission.requests > 1:
            self._one_at_a_time = True
            if alone:
                self._most_requests = math.ceil(submission.requests / 2)
            _log.warning("%s; at most %d requests are sent from now on, one batch at a time", what, self._most_requests)
            return
        self._refused_batches[told] += 1
        if self._refused_batches[told] > 1:
            raise RequestFailedError(what, hopeless=True)


def _show(progress: CountEvents, state: BatchState, before: tuple[int, int]) -> tuple[int, int]:
    """Show requests done and failed since; returns both counts, which never go back."""
    done, failed = max(before[0], state.completed + state.failed), max(before[1], state.failed)
    if done > before[0]:
        progress.ended(done - before[0], failed - before[1])
    return done, failed
