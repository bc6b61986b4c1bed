"""Command-line arguments of a zero-shot study."""

from __future__ import annotations

import argparse
from dataclasses import replace

from rich.console import Console

from fmerl_platform.cli.arguments import ALL, add_corpus_arguments, add_run_arguments, request_of_corpora
from fmerl_platform.studies.run import AblationRequest
from fmerl_platform.study.hold_out import HoldOut, pseudo_unseen_variant
from fmerl_platform.study.paper import CONTROL, PAPER, SYSTEMS


def add_zero_shot_arguments(parser: argparse.ArgumentParser) -> None:
    """What is held out, of which corpora, and what stands beside FMERL."""
    parser.add_argument(
        "--unseen",
        nargs="+",
        default=[],
        metavar="[CORPUS=]CLASS",
        help="classes to hold out, of every corpus or of the one named (default: each corpus's unseen_class)",
    )
    parser.add_argument(
        "--unseen-utterances",
        choices=("context", "deleted"),
        default="context",
        help="what becomes of their utterances in training: unlabelled context (default), or none",
    )
    variants, systems = ([name for name in known if name != CONTROL] for known in (PAPER, SYSTEMS))
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=[*variants, ALL],
        default=[],
        metavar="NAME",
        help=f"besides {CONTROL}: {ALL}, or of: {'; '.join(variants)}",
    )
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=[*systems, ALL],
        default=[],
        metavar="NAME",
        help=f"compared systems, which can predict no unseen class: {ALL}, or of: {', '.join(systems)}",
    )
    parser.add_argument(
        "--calibrated-stacking",
        action="store_true",
        help="also lower seen classes by a constant, tuned on validation in further cells that hold a seen class out",
    )
    parser.add_argument("--llm-study", metavar="NAME", help="MLflow experiment whose language models stand beside")
    add_corpus_arguments(parser)
    add_run_arguments(parser, study="zero-shot")


def zero_shot_request(arguments: argparse.Namespace, console: Console) -> AblationRequest:
    """The request that these arguments make; MELD's raw text is prepared first.

    Raises:
        InputError: An argument out of its range, or one of two that belong together.
    """
    variants = [variant for name, variant in PAPER.items() if {name, ALL} & {CONTROL, *arguments.variants}]
    systems = [variant for name, variant in SYSTEMS.items() if name != CONTROL and {name, ALL} & {*arguments.systems}]
    request = request_of_corpora(arguments, [*variants, *systems], console)
    hold_out = HoldOut(classes=tuple(arguments.unseen), utterances=arguments.unseen_utterances)
    request = replace(request, inputs=replace(request.inputs, hold_out=hold_out), llm_study=arguments.llm_study)
    if not arguments.calibrated_stacking:
        return request
    return replace(request, more_variants=lambda inputs: [pseudo_unseen_variant(inputs)])
