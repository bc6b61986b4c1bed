"""Command-line arguments of the labelling script."""

from __future__ import annotations

import argparse
from pathlib import Path

from fmerl.config import DIMENSIONS
from fmerl.corpus import SPLITS
from fmerl.supervision.prompts import DESCRIPTION_TEMPLATE, SCORE_TEMPLATE, PromptConfig
from fmerl_platform.labelling.limit_arguments import add_limit_arguments, amount, count, limits_of, natural
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
    parser.add_argument("--limit", type=count, metavar="N", help="label a sample of so many utterances")

    asked = parser.add_argument_group("what is asked")
    asked.add_argument("--decoding", choices=("auto", "text", "schema", "logprobs"), default="auto")
    asked.add_argument("--temperature", type=amount, default=0.0, help="default 0")
    asked.add_argument("--score-template", default=SCORE_TEMPLATE, metavar="TEXT", help="default: the paper's query")
    asked.add_argument("--description-template", default=DESCRIPTION_TEMPLATE, metavar="TEXT", help="likewise")
    asked.add_argument("--system", metavar="TEXT", help="system message (default: none)")
    asked.add_argument("--scale", nargs=2, type=float, metavar=("LOW", "HIGH"), help="default: the corpus's vad_range")
    asked.add_argument("--dimensions", nargs="+", choices=DIMENSIONS, default=list(DIMENSIONS), help="default: all")
    asked.add_argument("--descriptions", type=Path, metavar="FILE", help="reviewed descriptions, in place of drafts")
    asked.add_argument("--retest", type=natural, default=50, metavar="N", help="utterances asked twice (default 50)")

    limits = add_limit_arguments(parser, budgeted="this label set")
    limits.add_argument("--max-error-share", type=amount, default=0.01, metavar="X", help="exit 1 above (default .01)")

    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR", help="journal (default ./runs)")
    parser.add_argument("--dry-run", action="store_true", help="show calls, tokens and cost, ask nothing")


def label_request(arguments: argparse.Namespace) -> LabelRequest:
    """The request that these arguments make.

    Raises:
        InputError: A corpus, template or limit that cannot be used.
    """
    corpus = read_source(arguments.corpus)
    low, high = arguments.scale or corpus.vad_range
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
        **limits_of(arguments),
        max_error_share=arguments.max_error_share,
        storage=arguments.storage,
    )
