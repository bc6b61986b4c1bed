"""Asking through Ray Data: blocks of calls go to async actors, outcomes come back as they are ready."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext

from fmerl_platform.asking.asker import Answered
from fmerl_platform.asking.limiter import Limiter, Limits
from fmerl_platform.asking.question import Call
from fmerl_platform.asking.worker import LabelWorker, WorkerConfig

_BLOCK = 32
"""Calls in a block: one big block would keep one worker busy and the others idle."""
_WORKER_CPUS = 0.25
"""CPUs of a worker, which waits most of the time."""


@dataclass(frozen=True, kw_only=True)
class WorkerPool:
    """Number of workers, and of requests they keep in flight together."""

    workers: int = 2
    concurrency: int = 32


def run_calls(
    calls: Sequence[Call], config: WorkerConfig, limits: Limits, spent: float, pool: WorkerPool
) -> Iterator[Answered]:
    """Outcome of every call, in no order; Ray is connected.

    Args:
        calls: Calls with distinct keys.
        config: Settings of the workers; their concurrency is the pool's share.
        limits: Limits of all workers together.
        spent: Cost already counted against the budget.
        pool: Workers and requests in flight.
    """
    share = math.ceil(pool.concurrency / pool.workers)
    limiter: Any = (
        ray.remote(Limiter)
        .options(name=f"fmerl-limiter-{uuid4().hex}", num_cpus=0)
        .remote(limits, spent, longest=2 * config.endpoint.timeout)
    )
    # Enough blocks under way that the last calls of one never leave slots free.
    blocks = math.ceil(share / _BLOCK) + 2
    context = DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False
    try:
        outcomes = (
            ray.data.from_arrow(pa.table({"call": [call.pack() for call in calls]}))
            .repartition(target_num_rows_per_block=_BLOCK)
            .map_batches(
                LabelWorker,
                batch_size=_BLOCK,
                batch_format="numpy",
                fn_constructor_args=(replace(config, concurrency=share), limiter),
                num_cpus=_WORKER_CPUS,
                compute=ActorPoolStrategy(
                    size=pool.workers, max_tasks_in_flight_per_actor=blocks + 2, max_concurrent_calls_per_actor=blocks
                ),
            )
        )
        waiting = {call.key for call in calls}
        for row in outcomes.iter_rows():
            waiting.remove(row["key"])
            value = json.loads(row["value"])
            yield Answered(key=row["key"], value=value, error=row["error"], passing=bool(row["passing"]))
        if waiting:
            raise RuntimeError(f"{len(waiting)} of {len(calls)} calls came back without an outcome")
    finally:
        context.enable_progress_bars = shown
        ray.kill(limiter)
