"""Command-line arguments that every script with a grid shares."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from fmerl.config import MODALITIES
from fmerl.errors import InputError
from fmerl.presets import PRESETS
from fmerl_platform.ablation import AblationRequest
from fmerl_platform.grid import Resources
from fmerl_platform.inputs import InputOptions
from fmerl_platform.variants import CONTROL, PAPER_VARIANTS


def add_grid_arguments(parser: argparse.ArgumentParser, study: str) -> None:
    """What to run, where to keep it, and what a cell may use."""
    parser.add_argument("--preset", choices=PRESETS, default="laptop")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=PAPER_VARIANTS,
        default=list(PAPER_VARIANTS),
        metavar="NAME",
        help=f"of: {'; '.join(PAPER_VARIANTS)}; the control always runs",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="N")
    parser.add_argument("--epochs", type=int, metavar="N", help="in place of the preset's")
    parser.add_argument("--modalities", nargs="+", choices=MODALITIES, help="default: all that have features")
    parser.add_argument("--emotion-encoder", metavar="ID|DIR|package:MODULE", help="in place of the preset's")
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
    wanted = {CONTROL, *arguments.variants}
    return AblationRequest(
        corpora=tuple(corpora),
        variants=tuple(variant for name, variant in PAPER_VARIANTS.items() if name in wanted),
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
        ),
        resources=Resources(cpus=arguments.cpus_per_cell, gpus=arguments.gpus_per_cell),
        keep_weights=arguments.keep_weights,
        dry_run=arguments.dry_run,
    )
