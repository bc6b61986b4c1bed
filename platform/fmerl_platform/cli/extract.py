"""`fmerl extract`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fmerl.config import DEFAULT_TEXT_ENCODER, MODALITIES
from fmerl.errors import InputError
from fmerl.features.table_names import check_name
from fmerl_platform.cli.asking_options import Count
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show
from fmerl_platform.cli.options import FLAT, OutputFolder
from fmerl_platform.cli.ready import check_ray
from fmerl_platform.running.options import Auto, Resources

if TYPE_CHECKING:
    from fmerl.features.encoder import EncoderSpec
    from fmerl_platform.extraction.run import ExtractionRequest

_OPENSMILE = "opensmile"


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """Options of feature extraction."""

    corpus: Path
    """Corpus folder."""
    features: OutputFolder
    """Feature tables are written below this folder."""
    modalities: tuple[Literal["text", "audio", "visual"], ...] = ("text",)
    """Modalities to extract."""
    table: str = ""
    """Name of the tables that are written; with names a modality has several, which a study joins by --tables."""
    text_encoder: str = DEFAULT_TEXT_ENCODER
    """Hugging Face id, folder or package:MODULE."""
    text_layer: int = -1
    """Layer that is read; 0 is the embedding."""
    text_pooling: Literal["cls", "mean"] = "cls"
    """Which vector of the layer stands for an utterance."""
    text_context: int = 0
    """Earlier turns to read."""
    text_length: int = 256
    """Longest input in tokens."""
    text_folds: Count | None = None
    """Folds of a tuned encoder: each training utterance is encoded by the one that has not seen its label."""
    audio_encoder: str = _OPENSMILE
    """opensmile, or a Hugging Face id or folder of a speech encoder."""
    audio_set: str = "IS10"
    """openSMILE set, such as IS10, eGeMAPSv02 or ComParE_2016, or a configuration file."""
    audio_level: str = "func"
    """Level of its output that is read."""
    audio_rate: int = 16000
    """Sampling rate in Hz to which sound is brought; a speech encoder has its own."""
    audio_layers: tuple[str, ...] = ("-1",)
    """Layers of a speech encoder whose mean is taken, LAYER or LAYER:WEIGHT, or all; 0 is what enters the first."""
    audio_pooling: Literal["mean", "mean+deviation"] = "mean"
    """What stands for the frames of an utterance."""
    audio_chunk: float = 30.0
    """Most seconds that a speech encoder reads at once; the frames of all pieces are pooled."""
    audio_seconds: float = 300.0
    """Most seconds of an utterance's sound that are read."""
    media_roots: tuple[Path, ...] = ()
    """Folders beside the corpus's own that may hold its media."""
    visual_encoder: str = "densenet"
    """densenet, a Hugging Face id or a folder."""
    visual_weights: Path | None = None
    """Weights of the densenet."""
    pixel_mean: float = 0.0
    """Mean of the pixels that they were trained on."""
    pixel_sd: float = 255.0
    """Deviation likewise."""
    faces: Literal["haar", "centre", "none"] = "haar"
    """Finder of faces."""
    frames: int = 20
    """Most frames of an utterance."""
    workers: Count | Auto = "auto"
    """Most workers; auto: as many as the nodes hold that there are, or that a growing cluster may have."""
    batch_size: Count | None = None
    """Inputs of a forward pass; 64 texts, 32 frames or 4 sounds of one length unless given."""
    cpus_per_worker: float | Auto = "auto"
    """CPUs and threads of a worker; auto: beside GPUs its share of the node's, else 1."""
    gpus_per_worker: float | Auto = "auto"
    """GPUs likewise; fractions share a GPU; auto: a share where there are GPUs or may be, for all but openSMILE."""
    supervised_on_labels: bool = False
    """Say on the cards that the encoder was fine-tuned on this corpus's emotions."""
    storage: OutputFolder = Path("runs")
    """Folder of unfinished work."""
    dry_run: bool = False
    """Show what would be encoded, encode nothing."""


def extract(*, options: Annotated[ExtractOptions, FLAT]) -> int:
    """Extract feature tables from a corpus folder: text, sound and faces of every utterance, by frozen encoders.

    Encoders run in Ray Data workers. What is encoded is kept block by block: rerunning the same command, whatever ended
    the last one, encodes only what is left; a table that is there already costs nothing.
    """
    from fmerl.corpus import read_corpus
    from fmerl_platform.cli.progress import RateProgress
    from fmerl_platform.extraction import run
    from fmerl_platform.extraction.pipeline import ExtractionError
    from fmerl_platform.extraction.placement import place_workers
    from fmerl_platform.extraction.summary import plan_table_of, summary_table
    from fmerl_platform.running.nodes import nodes_to_expect

    check_ray()
    request = request_of(options)
    if options.dry_run:
        nodes, plans = nodes_to_expect(), request.plans(read_corpus(request.corpus))
        show([plan_table_of(plans, [place_workers(plan.spec, request.resources, nodes) for plan in plans])])
        return EXIT_OK
    try:
        done = run.extract(request, partial(RateProgress, console))
    except ExtractionError as error:
        say(f"extraction ended early: {error}", "red")
        return EXIT_FAILED
    show([summary_table(done)])
    say(f"features  {request.features}", to=results)
    return EXIT_OK


def request_of(options: ExtractOptions) -> ExtractionRequest:
    """The request that these options make.

    Raises:
        InputError: An option out of its range.
    """
    from fmerl_platform.extraction.run import ExtractionRequest

    if options.table:
        check_name("--table", options.table)
    return ExtractionRequest(
        corpus=options.corpus,
        features=options.features,
        specs=_specs(options),
        table=options.table,
        storage=options.storage,
        resources=Resources(
            cpus_per_cell=options.cpus_per_worker,
            gpus_per_cell=options.gpus_per_worker,
            cells_at_once=options.workers,
        ),
        media_roots=options.media_roots,
        supervised_on_labels=options.supervised_on_labels,
    )


def _specs(options: ExtractOptions) -> list[EncoderSpec]:
    try:
        return [_spec(modality, options) for modality in MODALITIES if modality in options.modalities]
    except InputError:
        raise
    except ValueError as error:
        raise InputError("arguments", str(error), "see --help") from error


def _spec(modality: str, options: ExtractOptions) -> EncoderSpec:
    """Recipe of a modality's encoder; other modalities' modules are not imported, since their extras may be absent."""
    batch = {} if options.batch_size is None else {"batch_size": options.batch_size}
    if modality == "text":
        from fmerl.features.text.utterances import TextSpec
        from fmerl.finetuning.features import tuned_spec

        tuned = tuned_spec(options.text_encoder, options.text_folds)
        if tuned is not None:
            names = ("text_layer", "text_pooling", "text_context", "text_length")
            _refuse(options, names, "the card of a tuned encoder decides it")
            return tuned
        return TextSpec(
            encoder=absolute(options.text_encoder),
            pooling=options.text_pooling,
            layer=options.text_layer,
            max_length=options.text_length,
            context=options.text_context,
            **batch,
        )
    if modality == "audio":
        return _opensmile_spec(options) if options.audio_encoder == _OPENSMILE else _speech_spec(options, batch)
    from fmerl.features.visual.encoder import DENSENET, VisualSpec

    return VisualSpec(
        encoder=absolute(options.visual_encoder, DENSENET),
        weights=None if options.visual_weights is None else options.visual_weights.resolve(),
        faces=options.faces,
        frames=options.frames,
        pixel_mean=options.pixel_mean,
        pixel_sd=options.pixel_sd,
        **batch,
    )


def _opensmile_spec(options: ExtractOptions) -> EncoderSpec:
    """Recipe of openSMILE's features.

    Raises:
        InputError: An option of speech encoders, or no openSMILE.
    """
    from fmerl.extras import optional_module
    from fmerl.features.audio.encoder import AudioSpec

    _refuse(options, ("audio_layers", "audio_pooling", "audio_chunk"), "only a speech encoder (--audio-encoder) has it")
    return AudioSpec(
        feature_set=absolute(options.audio_set, *optional_module("opensmile", "audio").FeatureSet.__members__),
        level=options.audio_level,
        sampling_rate=options.audio_rate,
        longest=options.audio_seconds,
    )


def _speech_spec(options: ExtractOptions, batch: dict[str, int]) -> EncoderSpec:
    """Recipe of a speech encoder's features.

    Raises:
        InputError: An option of openSMILE.
    """
    from fmerl.features.audio.speech import SpeechSpec

    _refuse(options, ("audio_set", "audio_level", "audio_rate"), "only openSMILE has it")
    return SpeechSpec(
        encoder=absolute(options.audio_encoder),
        layers=options.audio_layers,
        pooling=options.audio_pooling,
        chunk=options.audio_chunk,
        longest=options.audio_seconds,
        **batch,
    )


def _refuse(options: ExtractOptions, names: Sequence[str], why: str) -> None:
    """Refuse options that have another value than their default."""
    for name in names:
        if getattr(options, name) != ExtractOptions.__dataclass_fields__[name].default:
            raise InputError(f"--{name.replace('_', '-')}", why, "leave the option out")


def absolute(name: str, *reserved: str) -> str:
    """A file or folder by its absolute path, since workers may start elsewhere; any other name as it is."""
    path = Path(name)
    return str(path.resolve()) if name not in reserved and path.exists() else name
