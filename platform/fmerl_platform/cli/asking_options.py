"""Options of every command that asks an endpoint: rates, retries, budget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from fmerl.errors import InputError
from fmerl_platform.cli.console import say

Amount = Annotated[float, Parameter(validator=Number(gte=0))]
Positive = Annotated[float, Parameter(validator=Number(gt=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Natural = Annotated[int, Parameter(validator=Number(gte=0))]


@dataclass(frozen=True, kw_only=True)
class AskingOptions:
    """Limits of asking."""

    batch: bool = False
    """Ask in batches (OpenAI's Batch API): about half the price, answered within a day."""
    requests_per_minute: Positive | None = None
    """Most requests per minute of all workers together."""
    tokens_per_minute: Positive | None = None
    """Most tokens per minute likewise."""
    prices: Path | None = None
    """Price table (JSON)."""
    budget: Amount | None = None
    """Most to spend in all runs, in the price table's currency."""
    answers: Count = 3
    """Paid answers per call."""
    tries: Count = 8
    """Requests per answer."""
    timeout: Positive = 60.0
    """Seconds of one request."""
    concurrency: Count = 32
    """Requests in flight."""
    workers: Count = 2
    """Ray actors."""

    def __post_init__(self) -> None:
        if self.workers > self.concurrency:
            what = f"{self.workers} workers for {self.concurrency} requests in flight"
            raise InputError("--workers", what, "give at most as many as --concurrency")

    def tell_refusals(self, addresses: Iterable[str | None] = (None,)) -> None:
        """Say in a dry run, which needs no key, why asking would be refused.

        Args:
            addresses: Of the endpoints; None is the environment's.
        """
        from fmerl_platform.asking.endpoint import Endpoint

        for address in dict.fromkeys(addresses):
            try:
                Endpoint.from_environment(self.timeout, address)
            except InputError as error:
                say(f"asking would be refused: {error}", "bold yellow")

    def fields(self) -> dict[str, Any]:
        """Fields of a request that these options give."""
        from fmerl_platform.asking.asker import RetryPolicy
        from fmerl_platform.asking.backoff import Backoff
        from fmerl_platform.asking.batch.sending import BatchPolicy
        from fmerl_platform.asking.limiter import Limits
        from fmerl_platform.asking.pipeline import WorkerPool

        return {
            "limits": Limits(
                requests_per_minute=self.requests_per_minute,
                tokens_per_minute=self.tokens_per_minute,
                budget=self.budget,
            ),
            "prices": self.prices,
            "batches": BatchPolicy() if self.batch else None,
            "timeout": self.timeout,
            "retries": RetryPolicy(answers=self.answers, backoff=Backoff(tries=self.tries)),
            "pool": WorkerPool(workers=self.workers, concurrency=self.concurrency),
        }
