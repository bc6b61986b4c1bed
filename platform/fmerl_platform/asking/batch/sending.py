"""A batch from its file on disk to the endpoint, once, whatever interrupts it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from fmerl.errors import InputError
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.batch.client import BatchClient, BatchState
from fmerl_platform.asking.batch.lines import MOST_BYTES, MOST_REQUESTS
from fmerl_platform.asking.batch.store import BatchStore, Submission
from fmerl_platform.asking.endpoint import RequestFailedError

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BatchPolicy:
    """Sizes and waits of batches."""

    most_requests: int = MOST_REQUESTS
    most_bytes: int = MOST_BYTES
    first_poll: float = 0.5
    """Seconds before a batch is looked at first; later, a tenth of the time since."""
    last_poll: float = 60.0
    """Longest wait between two looks, in seconds."""
    settle: float = 5.0
    """Seconds within which the endpoint lists a batch whose creation was interrupted, if it was created."""


class BatchSender:
    """Starts batches.

    Args:
        files: The endpoint's files and batches.
        store: Records of batches.
        base_url: The endpoint's address.
        backoff: Waits after failed requests.
        policy: Waits for an endpoint's list.
    """

    def __init__(
        self, files: BatchClient, store: BatchStore, base_url: str, backoff: Backoff, policy: BatchPolicy
    ) -> None:
        self._files, self._store, self._base_url, self._backoff = files, store, base_url, backoff
        self._policy = policy

    async def start(self, submission: Submission) -> tuple[Submission, BatchState]:
        """The running batch of a submission, from where its record stands.

        Raises:
            InputError: It was sent to another endpoint.
            RequestFailedError: The endpoint does not take it, or does not know it any more.
        """
        if submission.base_url != self._base_url:
            what = f"{submission.requests:,} of these requests are in a batch that was sent to {submission.base_url}"
            raise InputError("OPENAI_BASE_URL", what, "set it to that address until the batch is read")
        if submission.batch_id is not None:
            return submission, await self.state(submission)
        maybe_created = submission.file_id is not None
        if submission.file_id is None:
            file_id = await patiently(lambda: self._files.upload(self._store.requests_file(submission)), self._backoff)
            submission = self._store.save(submission, file_id=file_id)
        state = await self._create(submission, maybe_created)
        _log.info("batch %s of %d requests is %s", state.id, submission.requests, state.status)
        return self._store.save(submission, batch_id=state.id), state

    async def state(self, submission: Submission) -> BatchState:
        """The state of a batch that was created."""
        batch_id = submission.batch_id
        assert batch_id is not None
        remedy = f"to ask its requests again, and pay for them again, delete {self._store.record_file(submission)}"
        return await patiently(lambda: self._files.state(batch_id), self._backoff, remedy)

    async def _create(self, submission: Submission, maybe_created: bool) -> BatchState:
        """The batch of an uploaded file: one that was created in spite of a kill or a failure, else a new one."""
        assert submission.file_id is not None
        failures = 0
        while True:
            found = await self._find(submission) if maybe_created else None
            if found is not None:
                return found
            try:
                return await self._files.create(submission.file_id, submission.name)
            except RequestFailedError as failure:
                failures += 1
                if not failure.passing:
                    # Refused, so it does not exist; the file may be to blame.
                    self._store.save(submission, file_id=None)
                if not failure.passing or failures >= self._backoff.tries:
                    raise
                pause = self._backoff.seconds(failures, failure.retry_after)
            await asyncio.sleep(pause)
            maybe_created = True

    async def _find(self, submission: Submission) -> BatchState | None:
        """Our batch in the endpoint's list, if it is there or comes there soon."""
        file_id, name = submission.file_id, submission.name
        assert file_id is not None
        remedy = (
            f"whether batch {name} was created is not known: write its id as batch_id into "
            f"{self._store.record_file(submission)}, or delete that file if it was not"
        )
        for pause in (0.0, self._policy.settle):
            await asyncio.sleep(pause)
            found = await patiently(lambda: self._files.find(file_id, name, submission.seconds), self._backoff, remedy)
            if found is not None:
                return found
        return None


async def patiently(request: Callable[[], Awaitable[T]], backoff: Backoff, remedy: str = "") -> T:
    """Result of a request that may be repeated, after as many tries as the retry limits allow.

    Args:
        request: Makes the request.
        backoff: Retry limits.
        remedy: What a user may do if it fails for good.

    Raises:
        RequestFailedError: There is none.
    """
    failures = 0
    while True:
        try:
            return await request()
        except RequestFailedError as error:
            failures += 1
            failure = error
        if not failure.passing or failures >= backoff.tries:
            if remedy:
                raise RequestFailedError(f"{failure}; {remedy}", passing=failure.passing, hopeless=failure.hopeless)
            raise failure
        await asyncio.sleep(backoff.seconds(failures, failure.retry_after))
