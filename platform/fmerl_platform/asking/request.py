"""Terms of every request for answers: within which limits an endpoint is asked, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fmerl.errors import InputError
from fmerl_platform.asking.asker import RetryPolicy
from fmerl_platform.asking.batch.sending import BatchPolicy
from fmerl_platform.asking.endpoint import Endpoint
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.asking.pipeline import WorkerPool
from fmerl_platform.asking.prices import Price, read_price
from fmerl_platform.asking.worker import WorkerConfig


@dataclass(frozen=True, kw_only=True)
class PaidRequest:
    """Limits, prices, tries and workers of a request for answers."""

    limits: Limits = field(default_factory=Limits)
    prices: Path | None = None
    timeout: float = 60.0
    """Limit of one HTTP request, in seconds."""
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    pool: WorkerPool = field(default_factory=WorkerPool)
    batches: BatchPolicy | None = None
    """Sizes and waits, to ask in batches: cheaper, and answered within a day; None asks directly."""

    def __post_init__(self) -> None:
        if self.limits.budget is not None and self.prices is None:
            raise InputError("--budget", "no price is known", "give a price table with --prices")

    def price_of(self, model: str) -> Price:
        """Price of a model's tokens, by its id; nothing without a table."""
        return Price() if self.prices is None else read_price(self.prices, model)

    def workers_for(self, model: str, journal: Path, base_url: str | None = None) -> WorkerConfig:
        """Settings by which a model is asked.

        Args:
            model: Its id.
            journal: Folder that keeps the answers.
            base_url: In place of `OPENAI_BASE_URL`.

        Raises:
            InputError: An address, key or price table that cannot be used.
        """
        return WorkerConfig(
            endpoint=Endpoint.from_environment(self.timeout, base_url),
            journal=journal,
            price=self.price_of(model),
            retries=self.retries,
            concurrency=self.pool.concurrency,
        )
