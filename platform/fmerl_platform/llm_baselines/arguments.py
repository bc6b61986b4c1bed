"""Command-line arguments of the language-model baselines."""

from __future__ import annotations

import argparse
from pathlib import Path

from fmerl.corpus import Corpus, read_corpus
from fmerl.errors import InputError
from fmerl.synthetic import SHAPES, generate
from fmerl_platform.labelling.limit_arguments import add_limit_arguments, amount, count, limits_of, natural
from fmerl_platform.llm_baselines.models import chosen_models, read_models
from fmerl_platform.llm_baselines.request import BaselineRequest
from fmerl_platform.study.hold_out import HoldOut


def add_baseline_arguments(parser: argparse.ArgumentParser, models: Path) -> None:
    """Which models are asked, about what, and how.

    Args:
        parser: Gets them.
        models: The default file of models.
    """
    parser.add_argument(
        "--corpus", required=True, metavar="NAME|DIR", help=f"corpus folder, or one of {', '.join(SHAPES)}"
    )
    parser.add_argument("--config", type=Path, default=models, metavar="FILE", help="models (default %(default)s)")
    parser.add_argument(
        "--model",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these of the file, or others as the endpoint calls them (default: all of the file)",
    )
    parser.add_argument(
        "--unseen",
        nargs="*",
        metavar="CLASS",
        help="classes without examples (default: the corpus's unseen_class; no CLASS: examples of all)",
    )
    parser.add_argument("--limit", type=count, metavar="N", help="at most N test utterances, in whole dialogues")

    asked = parser.add_argument_group("what is asked")
    asked.add_argument("--shots", type=natural, default=3, metavar="K", help="examples of each seen class (default 3)")
    asked.add_argument("--context", type=natural, default=5, metavar="T", help="turns shown before (default 5)")
    asked.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="N", help="of the examples")
    asked.add_argument("--decoding", choices=("auto", "schema", "text"), default="auto")
    asked.add_argument("--temperature", type=amount, default=0.0, help="default 0")

    add_limit_arguments(parser, budgeted="these models and seeds together")
    parser.add_argument("--study", default="llm-baselines", help="MLflow experiment (default %(default)s)")
    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR", help="default ./runs")
    parser.add_argument("--dry-run", action="store_true", help="show calls, tokens and cost, ask nothing")


def baseline_request(arguments: argparse.Namespace) -> BaselineRequest:
    """The request that these arguments make.

    Raises:
        InputError: A corpus, file of models, class or limit that cannot be used.
    """
    corpus = _corpus(arguments.corpus)
    return BaselineRequest(
        corpus=corpus,
        models=chosen_models(arguments.model, read_models(arguments.config)),
        unseen=_unseen(arguments.unseen, corpus),
        shots=arguments.shots,
        context=arguments.context,
        seeds=tuple(arguments.seeds),
        decoding=arguments.decoding,
        temperature=arguments.temperature,
        limit=arguments.limit,
        study=arguments.study,
        storage=arguments.storage,
        **limits_of(arguments),
    )


def _corpus(name: str) -> Corpus:
    if name in SHAPES:
        return generate(SHAPES[name]).corpus
    if not Path(name).is_dir():
        remedy = f"give a folder or one of {', '.join(SHAPES)}"
        raise InputError(name, "neither a folder nor a synthetic corpus", remedy)
    return read_corpus(Path(name))


def _unseen(asked: list[str] | None, corpus: Corpus) -> tuple[str, ...]:
    if asked == [] or (asked is None and corpus.unseen_class is None):
        return ()
    return HoldOut(classes=tuple(asked or ())).of(corpus)
