"""The Ray Data actor that keeps many requests in flight."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl_platform.asking.asker import Answered, Asker, RetryPolicy
from fmerl_platform.asking.endpoint import Endpoint, EndpointClient, RequestFailedError
from fmerl_platform.asking.journal import JournalReader, JournalWriter
from fmerl_platform.asking.limiter import Grants, Leases, Reservation, Usage
from fmerl_platform.asking.prices import Price
from fmerl_platform.asking.question import Call
from fmerl_platform.asking.ways import USUAL_WAYS, Ways

Batch = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """Settings of every worker."""

    endpoint: Endpoint
    journal: Path
    price: Price
    retries: RetryPolicy
    concurrency: int
    """Requests in flight of one worker."""
    ways: Ways = USUAL_WAYS
    """Known of the endpoint already."""


class LabelWorker:
    """Answers batches of calls; several batches are under way at once, and share the worker's slots.

    Args:
        config: Settings of the worker.
        limiter: Handle of the run's limiter actor.
    """

    def __init__(self, config: WorkerConfig, limiter: Any) -> None:
        self._limiter, self._base_url = limiter, config.endpoint.base_url
        self._journal = JournalReader(config.journal)
        self._asker = Asker(
            EndpointClient(config.endpoint, config.ways),
            Leases(self._exchange),
            JournalWriter(config.journal),
            config.price,
            config.retries,
            config.concurrency,
            self._journal.has_answers(),
        )

    async def __call__(self, batch: Batch) -> AsyncIterator[Batch]:
        # A dead worker's batch comes to another, which must not pay for its answers again.
        self._journal.refresh()
        outcomes = await asyncio.gather(*(self._ask(Call.unpack(packed)) for packed in batch["call"]))
        yield {
            "key": np.array([outcome.key for outcome in outcomes], dtype=object),
            # As JSON, since scores and texts share the column.
            "value": np.array([json.dumps(outcome.value) for outcome in outcomes], dtype=object),
            "error": np.array([outcome.error for outcome in outcomes], dtype=object),
            "passing": np.array([outcome.passing for outcome in outcomes], dtype=bool),
        }

    async def _ask(self, call: Call) -> Answered:
        try:
            return await self._asker.ask(call, self._journal.answers(call.key))
        except RequestFailedError as failure:
            await self._limiter.stop.remote(f"the endpoint {self._base_url} refuses every request ({failure})")
            return Answered(key=call.key, value=None, error=f"request failed: {failure}", passing=True)

    async def _exchange(self, needs: list[Reservation], used: list[Usage]) -> Grants:
        return await self._limiter.exchange.remote(needs, used)
