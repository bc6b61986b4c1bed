"""Command-line arguments of every script that asks an endpoint: how fast, how often, for how much."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypedDict

from fmerl.errors import InputError
from fmerl_platform.asking.asker import Patience
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.asking.pipeline import Fleet


class AskingLimits(TypedDict):
    """The fields of these names in a request."""

    limits: Limits
    prices: Path | None
    timeout: float
    patience: Patience
    fleet: Fleet


def add_limit_arguments(parser: argparse.ArgumentParser, budgeted: str) -> argparse._ArgumentGroup:
    """Within which limits to ask.

    Args:
        parser: Gets them as a group of its own, which is returned.
        budgeted: What the budget is for.
    """
    limits = parser.add_argument_group("limits")
    limits.add_argument("--requests-per-minute", type=positive, metavar="N")
    limits.add_argument("--tokens-per-minute", type=positive, metavar="N")
    limits.add_argument("--prices", type=Path, metavar="FILE", help="price table (JSON)")
    limits.add_argument("--budget", type=amount, metavar="X", help=f"most to spend on {budgeted}, in all runs")
    limits.add_argument("--answers", type=count, default=3, metavar="N", help="paid answers per call (default 3)")
    limits.add_argument("--tries", type=count, default=8, metavar="N", help="requests per answer (default 8)")
    limits.add_argument("--timeout", type=positive, default=60.0, metavar="S", help="of one request (default 60)")
    limits.add_argument("--concurrency", type=count, default=32, metavar="N", help="requests in flight (default 32)")
    limits.add_argument("--workers", type=count, default=2, metavar="N", help="Ray actors (default 2)")
    return limits


def limits_of(arguments: argparse.Namespace) -> AskingLimits:
    """What `add_limit_arguments` was given.

    Raises:
        InputError: More workers than requests in flight.
    """
    if arguments.workers > arguments.concurrency:
        what = f"{arguments.workers} workers for {arguments.concurrency} requests in flight"
        raise InputError("--workers", what, "give at most as many as --concurrency")
    return AskingLimits(
        limits=Limits(
            requests_per_minute=arguments.requests_per_minute,
            tokens_per_minute=arguments.tokens_per_minute,
            budget=arguments.budget,
        ),
        prices=arguments.prices,
        timeout=arguments.timeout,
        patience=Patience(answers=arguments.answers, backoff=Backoff(tries=arguments.tries)),
        fleet=Fleet(workers=arguments.workers, concurrency=arguments.concurrency),
    )


def amount(text: str) -> float:
    """A number from 0 up."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 up")
    return value


def positive(text: str) -> float:
    """A number above 0."""
    value = amount(text)
    if not value:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def natural(text: str) -> int:
    """A whole number from 0 up."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def count(text: str) -> int:
    """A whole number from 1 up."""
    value = natural(text)
    if not value:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
