"""Command-line arguments of the labelling script."""

from __future__ import annotations

import argparse
from pathlib import Path

from fmerl.config import DIMENSIONS
from fmerl.corpus import SPLITS
from fmerl.errors import InputError
from fmerl.supervision.prompts import DESCRIPTION_TEMPLATE, SCORE_TEMPLATE, PromptConfig
from fmerl_platform.labelling.asking import Patience
from fmerl_platform.labelling.backoff import Backoff
from fmerl_platform.labelling.limiter import Limits
from fmerl_platform.labelling.pipeline import Fleet
from fmerl_platform.labelling.plan import read_source
from fmerl_platform.labelling.request import LabelRequest


def add_label_arguments(parser: argparse.ArgumentParser) -> None:
    """What to label, what to ask, and within which limits."""
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR|emobank.csv", help="what to label")
    parser.add_argument("--labels", type=Path, required=True, metavar="DIR", help="label sets are written below it")
    parser.add_argument("--model", required=True, help="as the endpoint calls it")
    parser.add_argument(
        "--splits", nargs="+", choices=SPLITS, default=["train", "validation"], help="default: train validation"
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="label a sample of so many utterances")

    asked = parser.add_argument_group("what is asked")
    asked.add_argument("--decoding", choices=("auto", "text", "schema", "logprobs"), default="auto")
    asked.add_argument("--temperature", type=_amount, default=0.0, help="default 0")
    asked.add_argument("--score-template", default=SCORE_TEMPLATE, metavar="TEXT", help="default: the paper's query")
    asked.add_argument("--description-template", default=DESCRIPTION_TEMPLATE, metavar="TEXT", help="likewise")
    asked.add_argument("--system", metavar="TEXT", help="system message (default: none)")
    asked.add_argument("--scale", nargs=2, type=float, metavar=("LOW", "HIGH"), help="default: the corpus's vad_range")
    asked.add_argument("--dimensions", nargs="+", choices=DIMENSIONS, default=list(DIMENSIONS), help="default: all")
    asked.add_argument("--descriptions", type=Path, metavar="FILE", help="reviewed descriptions, in place of drafts")
    asked.add_argument("--retest", type=_natural, default=50, metavar="N", help="utterances asked twice (default 50)")

    limits = parser.add_argument_group("limits")
    limits.add_argument("--requests-per-minute", type=_positive, metavar="N")
    limits.add_argument("--tokens-per-minute", type=_positive, metavar="N")
    limits.add_argument("--prices", type=Path, metavar="FILE", help="price table (JSON)")
    limits.add_argument("--budget", type=_amount, metavar="X", help="most to spend on this label set, in all runs")
    limits.add_argument("--max-error-share", type=_amount, default=0.01, metavar="X", help="exit 1 above (default .01)")
    limits.add_argument("--answers", type=_count, default=3, metavar="N", help="paid answers per call (default 3)")
    limits.add_argument("--tries", type=_count, default=8, metavar="N", help="requests per answer (default 8)")
    limits.add_argument("--timeout", type=_positive, default=60.0, metavar="S", help="of one request (default 60)")
    limits.add_argument("--concurrency", type=_count, default=32, metavar="N", help="requests in flight (default 32)")
    limits.add_argument("--workers", type=_count, default=2, metavar="N", help="Ray actors (default 2)")

    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR", help="journal (default ./runs)")
    parser.add_argument("--dry-run", action="store_true", help="show calls, tokens and cost, ask nothing")


def label_request(arguments: argparse.Namespace) -> LabelRequest:
    """The request that these arguments make.

    Raises:
        InputError: A corpus, template or limit that cannot be used.
    """
    corpus = read_source(arguments.corpus)
    low, high = arguments.scale or corpus.vad_range
    if arguments.workers > arguments.concurrency:
        what = f"{arguments.workers} workers for {arguments.concurrency} requests in flight"
        raise InputError("--workers", what, "give at most as many as --concurrency")
    return LabelRequest(
        corpus=corpus,
        labels=arguments.labels,
        model=arguments.model,
        prompts=PromptConfig(
            score_template=arguments.score_template,
            description_template=arguments.description_template,
            system=arguments.system,
            scale=(low, high),
            dimensions=tuple(name for name in DIMENSIONS if name in arguments.dimensions),
        ),
        decoding=arguments.decoding,
        temperature=arguments.temperature,
        splits=tuple(split for split in SPLITS if split in arguments.splits),
        limit=arguments.limit,
        descriptions=arguments.descriptions,
        retest=arguments.retest,
        limits=Limits(
            requests_per_minute=arguments.requests_per_minute,
            tokens_per_minute=arguments.tokens_per_minute,
            budget=arguments.budget,
        ),
        prices=arguments.prices,
        timeout=arguments.timeout,
        patience=Patience(answers=arguments.answers, backoff=Backoff(tries=arguments.tries)),
        fleet=Fleet(workers=arguments.workers, concurrency=arguments.concurrency),
        max_error_share=arguments.max_error_share,
        storage=arguments.storage,
    )


def _amount(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 up")
    return value


def _positive(text: str) -> float:
    value = _amount(text)
    if not value:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _count(text: str) -> int:
    value = _natural(text)
    if not value:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
