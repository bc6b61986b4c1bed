"""Command-line arguments that every script with a grid shares."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fmerl.config import MODALITIES
from fmerl.config.presets import OFFLINE_ENCODER, PRESETS
from fmerl.errors import InputError
from fmerl.synthetic import SHAPES
from fmerl_platform.importing.meld_text import prepare_meld_text
from fmerl_platform.running.placement import Resources
from fmerl_platform.studies.run import AblationRequest
from fmerl_platform.study.axes import axis_variants
from fmerl_platform.study.inputs import InputOptions
from fmerl_platform.study.paper import CONTROL, PAPER, SYSTEMS
from fmerl_platform.study.study_file import read_study_file
from fmerl_platform.study.variant import Variant

ALL = "all"
"""Of the paper's variants."""

MELD_TEXT_EPOCHS = 20
"""As in the ablation on MELD's text."""


def add_grid_arguments(parser: argparse.ArgumentParser, study: str) -> None:
    """Which variants to run, where to keep them, and what a cell may use."""
    parser.add_argument(
        "--system",
        choices=SYSTEMS,
        default=CONTROL,
        metavar="NAME",
        help=f"the control: one of {', '.join(SYSTEMS)} (default {CONTROL})",
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=[*PAPER, ALL],
        metavar="NAME",
        help=f"{ALL}, or of: {'; '.join(PAPER)}; the control always runs (default: {ALL}, or none where "
        "--axis or --study-file gives others, or the control is another system)",
    )
    parser.add_argument(
        "--axis",
        action="append",
        default=[],
        metavar="FIELD[=V1,V2]",
        help="a variant for each value of a configuration field, as in training.batch_size=8,16, "
        "modalities=text,text+audio, or modalities for all sets; may be given again for other fields",
    )
    parser.add_argument(
        "--study-file", type=Path, metavar="FILE", help="Python file that defines VARIANTS, the control first"
    )
    add_run_arguments(parser, study)


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    """Which corpora to read: by name, as folders, or MELD's raw text."""
    parser.add_argument(
        "--corpus", nargs="+", default=list(SHAPES), metavar="NAME|DIR", help=f"corpus folders, or {', '.join(SHAPES)}"
    )
    parser.add_argument("--features", type=Path, metavar="DIR", help="feature tables of the corpus folders")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="label sets, in place of the corpora's own scores")
    parser.add_argument("--meld", type=Path, metavar="DIR", help="folder of MELD's three CSVs, in place of --corpus")
    parser.add_argument("--emobank", type=Path, metavar="FILE", help="EmoBank's emobank.csv, needed with --meld")


def request_of_corpora(arguments: argparse.Namespace, variants: Sequence[Variant], console: Console) -> AblationRequest:
    """The request of `add_corpus_arguments` and `add_run_arguments`; MELD's raw text is prepared first.

    Raises:
        InputError: An argument out of its range, or one of two that belong together.
    """
    if (arguments.meld is None) != (arguments.emobank is None):
        raise InputError("--meld, --emobank", "only one of them is given", "give both")
    if arguments.meld is None:
        return ablation_request(arguments, arguments.corpus, arguments.features, arguments.labels, variants)
    prepared = prepare_meld_text(arguments.meld, arguments.emobank, OFFLINE_ENCODER, "mean", arguments.storage, console)
    arguments.epochs = arguments.epochs or MELD_TEXT_EPOCHS
    return ablation_request(arguments, [str(prepared.corpus)], prepared.features, prepared.labels, variants)


def add_run_arguments(parser: argparse.ArgumentParser, study: str) -> None:
    """How to train, where to keep it, and what a cell may use."""
    parser.add_argument("--preset", choices=PRESETS, default="laptop")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="N")
    parser.add_argument("--epochs", type=int, metavar="N", help="in place of the preset's")
    parser.add_argument("--modalities", nargs="+", choices=MODALITIES, help="default: all that have features")
    parser.add_argument("--emotion-encoder", metavar="ID|DIR|package:MODULE", help="in place of the preset's")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="JSON of configuration fields, such as a search's best.json"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the synthetic corpora (default 1: true size)")
    parser.add_argument("--study", default=study, help=f"MLflow experiment (default {study})")
    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR", help="default ./runs")
    parser.add_argument("--cpus-per-cell", type=float, default=1.0, metavar="N", help="of each of its workers")
    parser.add_argument("--gpus-per-cell", type=float, default=0.0, metavar="N", help="likewise; fractions share a GPU")
    parser.add_argument("--workers-per-cell", type=int, default=1, metavar="N", help="train each cell by DDP over N")
    parser.add_argument(
        "--cells-at-once", type=int, metavar="N", help="default: as many as the nodes at hand hold; more lets them grow"
    )
    parser.add_argument(
        "--checkpoint-seconds", type=float, default=30.0, metavar="S", help="between states of a cell (default 30)"
    )
    parser.add_argument("--keep-weights", action="store_true", help="keep weights in STORAGE/checkpoints")
    parser.add_argument("--dry-run", action="store_true", help="check all inputs and show the cells, train nothing")


def ablation_request(
    arguments: argparse.Namespace,
    corpora: Sequence[str],
    features: Path | None,
    labels: Path | None,
    variants: Sequence[Variant] | None = None,
) -> AblationRequest:
    """The request that these arguments make.

    Args:
        arguments: Of `add_grid_arguments`, or of `add_run_arguments` with `variants`.
        corpora: Names of synthetic corpora, or folders.
        features: Feature tables of the folders.
        labels: Label sets, in place of the corpora's own scores.
        variants: Control first; None takes those of the command line.

    Raises:
        InputError: An argument out of its range.
    """
    if len(set(arguments.seeds)) != len(arguments.seeds):
        raise InputError("--seeds", f"a seed stands twice in {arguments.seeds}", "name each once")
    if arguments.workers_per_cell < 1:
        raise InputError("--workers-per-cell", "less than 1", "give at least 1")
    if arguments.epochs is not None and arguments.epochs < 1:
        raise InputError("--epochs", f"{arguments.epochs} is no number of epochs", "give at least 1")
    return AblationRequest(
        corpora=tuple(corpora),
        variants=_variants(arguments) if variants is None else tuple(variants),
        seeds=tuple(arguments.seeds),
        study=arguments.study,
        storage=arguments.storage,
        inputs=InputOptions(
            preset=arguments.preset,
            features=features,
            labels=labels,
            storage=arguments.storage,
            scale=arguments.scale,
            modalities=tuple(arguments.modalities) if arguments.modalities else None,
            epochs=arguments.epochs,
            emotion_encoder=arguments.emotion_encoder,
            workers=arguments.workers_per_cell,
            config=arguments.config,
        ),
        resources=Resources(
            cpus=arguments.cpus_per_cell, gpus=arguments.gpus_per_cell, cells_at_once=arguments.cells_at_once
        ),
        keep_weights=arguments.keep_weights,
        checkpoint_seconds=arguments.checkpoint_seconds,
        dry_run=arguments.dry_run,
    )


def _variants(arguments: argparse.Namespace) -> tuple[Variant, ...]:
    """Control first: the study file's or a system; then the paper's variants that are wanted, then the axes'."""
    other_system = arguments.system != CONTROL
    if other_system and arguments.variants:
        raise InputError("--variants", f"they change FMERL, and {arguments.system} is the control", "give --axis")
    if other_system and arguments.study_file:
        raise InputError("--study-file", "it defines the control itself", "leave --system out")
    own = read_study_file(arguments.study_file) if arguments.study_file else (SYSTEMS[arguments.system],)
    others_given = arguments.axis or arguments.study_file or other_system
    names = arguments.variants or ([] if others_given else [ALL])
    paper = [variant for name, variant in PAPER.items() if name != CONTROL and (name in names or ALL in names)]
    return (*own, *paper, *(variant for axis in arguments.axis for variant in axis_variants(axis)))
