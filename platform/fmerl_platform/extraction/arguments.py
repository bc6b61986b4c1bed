"""Command-line arguments of the extraction script."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from fmerl.config import DEFAULT_TEXT_ENCODER, MODALITIES
from fmerl.errors import InputError
from fmerl.features.encoder import EncoderSpec, optional_module
from fmerl.features.text.encoder import Pooling
from fmerl.features.text.utterances import TextSpec
from fmerl_platform.extraction.run import ExtractionRequest
from fmerl_platform.running.placement import Resources


def add_extraction_arguments(parser: argparse.ArgumentParser) -> None:
    """What to extract, by which encoders, and on what."""
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="a corpus folder")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="tables are written below it")
    parser.add_argument("--modalities", nargs="+", choices=MODALITIES, default=["text"], help="default: text")

    text = parser.add_argument_group("text")
    text.add_argument("--text-encoder", default=DEFAULT_TEXT_ENCODER, metavar="ID|DIR|package:MODULE")
    text.add_argument("--text-layer", type=int, default=-1, metavar="N", help="0 is the embedding (default -1: last)")
    text.add_argument("--text-pooling", choices=get_args(Pooling), default="cls", help="default cls")
    text.add_argument("--text-context", type=int, default=0, metavar="N", help="earlier turns to read (default 0)")
    text.add_argument("--text-length", type=int, default=256, metavar="N", help="longest input in tokens (default 256)")

    audio = parser.add_argument_group("audio")
    audio.add_argument(
        "--audio-set", default="IS10", metavar="NAME|FILE", help="openSMILE set or config (default IS10)"
    )
    audio.add_argument("--audio-level", default="func", metavar="NAME", help="output level read (default func)")
    audio.add_argument("--audio-rate", type=int, default=16000, metavar="HZ", help="sound is resampled (default 16000)")

    visual = parser.add_argument_group("visual")
    visual.add_argument("--visual-encoder", default="densenet", metavar="densenet|ID|DIR")
    visual.add_argument("--visual-weights", type=Path, metavar="FILE", help="of the densenet")
    visual.add_argument(
        "--pixel-mean", type=float, default=0.0, metavar="X", help="of the pixels that they were trained on (default 0)"
    )
    visual.add_argument("--pixel-sd", type=float, default=255.0, metavar="X", help="likewise (default 255)")
    visual.add_argument("--faces", choices=("haar", "centre", "none"), default="haar", help="default haar")
    visual.add_argument("--frames", type=int, default=20, metavar="N", help="most frames of an utterance (default 20)")

    run = parser.add_argument_group("run")
    run.add_argument("--workers", type=int, metavar="N", help="default: as many as the nodes at hand hold")
    run.add_argument("--batch-size", type=int, metavar="N", help="per forward pass (default: 64 texts, 32 frames)")
    run.add_argument("--cpus-per-worker", type=float, default=1.0, metavar="X", help="its threads (default 1)")
    run.add_argument(
        "--gpus-per-worker", type=float, default=0.0, metavar="X", help="fractions share a GPU (default 0)"
    )
    run.add_argument(
        "--supervised-on-labels", action="store_true", help="the encoder was fine-tuned on this corpus's emotions"
    )
    run.add_argument(
        "--storage", type=Path, default=Path("runs"), metavar="DIR", help="unfinished work; default ./runs"
    )
    run.add_argument("--dry-run", action="store_true", help="show what would be encoded, encode nothing")


def extraction_request(arguments: argparse.Namespace) -> ExtractionRequest:
    """The request that these arguments make.

    Raises:
        InputError: An argument out of its range.
    """
    for name in ("workers", "batch_size"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')}", f"{value} is less than 1", "give at least 1")
    try:
        specs = [_spec(modality, arguments) for modality in MODALITIES if modality in arguments.modalities]
    except InputError:
        raise
    except ValueError as error:
        raise InputError("arguments", str(error), "see --help") from error
    return ExtractionRequest(
        corpus=arguments.corpus,
        features=arguments.features,
        specs=specs,
        storage=arguments.storage,
        resources=Resources(
            cpus=arguments.cpus_per_worker, gpus=arguments.gpus_per_worker, cells_at_once=arguments.workers
        ),
        supervised_on_labels=arguments.supervised_on_labels,
    )


def _spec(modality: str, arguments: argparse.Namespace) -> EncoderSpec:
    """Modules of other modalities are imported only where they are used: their extras may be absent."""
    batch = {} if arguments.batch_size is None else {"batch_size": arguments.batch_size}
    # None takes a GPU where there is one: the driver, which builds the encoder too, may have none.
    device = None if arguments.gpus_per_worker else "cpu"
    if modality == "text":
        return TextSpec(
            encoder=_absolute(arguments.text_encoder),
            pooling=arguments.text_pooling,
            layer=arguments.text_layer,
            max_length=arguments.text_length,
            context=arguments.text_context,
            device=device,
            **batch,
        )
    if modality == "audio":
        from fmerl.features.audio.encoder import AudioSpec

        return AudioSpec(
            feature_set=_absolute(arguments.audio_set, *optional_module("opensmile", "audio").FeatureSet.__members__),
            level=arguments.audio_level,
            sampling_rate=arguments.audio_rate,
        )
    from fmerl.features.visual.encoder import DENSENET, VisualSpec

    return VisualSpec(
        encoder=_absolute(arguments.visual_encoder, DENSENET),
        weights=None if arguments.visual_weights is None else arguments.visual_weights.resolve(),
        faces=arguments.faces,
        frames=arguments.frames,
        device=device,
        pixel_mean=arguments.pixel_mean,
        pixel_sd=arguments.pixel_sd,
        **batch,
    )


def _absolute(name: str, *reserved: str) -> str:
    """A file or folder by its absolute path, since workers may start elsewhere; any other name as it is."""
    path = Path(name)
    return str(path.resolve()) if name not in reserved and path.exists() else name
