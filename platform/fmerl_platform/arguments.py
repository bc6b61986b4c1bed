"""Command-line arguments that every script with a grid shares."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from fmerl.config import MODALITIES
from fmerl.errors import InputError
from fmerl.presets import PRESETS
from fmerl_platform.ablation import AblationRequest
from fmerl_platform.axes import axis_variants
from fmerl_platform.grid import Resources
from fmerl_platform.inputs import InputOptions
from fmerl_platform.study import Variant
from fmerl_platform.study_file import read_study_file
from fmerl_platform.variants import CONTROL, PAPER_VARIANTS

ALL = "all"
"""Of the paper's variants."""


def add_grid_arguments(parser: argparse.ArgumentParser, study: str) -> None:
    """What to run, where to keep it, and what a cell may use."""
    parser.add_argument("--preset", choices=PRESETS, default="laptop")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=[*PAPER_VARIANTS, ALL],
        metavar="NAME",
        help=f"{ALL}, or of: {'; '.join(PAPER_VARIANTS)}; the control always runs (default: {ALL}, or none where "
        "--axis or --study-file gives others)",
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
    parser.add_argument("--cpus-per-cell", type=float, default=1.0, metavar="N")
    parser.add_argument("--gpus-per-cell", type=float, default=0.0, metavar="N", help="fractions share a GPU")
    parser.add_argument("--keep-weights", action="store_true", help="keep weights in STORAGE/checkpoints")
    parser.add_argument("--dry-run", action="store_true", help="check all inputs and show the cells, train nothing")


def ablation_request(
    arguments: argparse.Namespace, corpora: Sequence[str], features: Path | None, labels: Path | None
) -> AblationRequest:
    """The request that these arguments make.

    Raises:
        InputError: An argument out of its range.
    """
    if len(set(arguments.seeds)) != len(arguments.seeds):
        raise InputError("--seeds", f"a seed stands twice in {arguments.seeds}", "name each once")
    if arguments.epochs is not None and arguments.epochs < 1:
        raise InputError("--epochs", f"{arguments.epochs} is no number of epochs", "give at least 1")
    return AblationRequest(
        corpora=tuple(corpora),
        variants=_variants(arguments),
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
            config=arguments.config,
        ),
        resources=Resources(cpus=arguments.cpus_per_cell, gpus=arguments.gpus_per_cell),
        keep_weights=arguments.keep_weights,
        dry_run=arguments.dry_run,
    )


def _variants(arguments: argparse.Namespace) -> tuple[Variant, ...]:
    """Control first: the study file's or the paper's; then the paper's variants that are wanted, then the axes'."""
    own = read_study_file(arguments.study_file) if arguments.study_file else (PAPER_VARIANTS[CONTROL],)
    names = arguments.variants or ([] if arguments.axis or arguments.study_file else [ALL])
    paper = [variant for name, variant in PAPER_VARIANTS.items() if name != CONTROL and (name in names or ALL in names)]
    return (*own, *paper, *(variant for axis in arguments.axis for variant in axis_variants(axis)))
