"""`fmerl finetune-text`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from fmerl.config import DEFAULT_TEXT_ENCODER
from fmerl.errors import InputError
from fmerl_platform.cli.asking_options import Count
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show
from fmerl_platform.cli.options import FLAT, ONE_EACH, OutputFolder
from fmerl_platform.cli.ready import check_ready
from fmerl_platform.running.options import Resources

if TYPE_CHECKING:
    from fmerl_platform.finetuning.request import TuningRequest


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """Options of tuning."""

    corpus: Path
    """Corpus folder."""
    encoder: str = DEFAULT_TEXT_ENCODER
    """Hugging Face id, folder or package:MODULE."""
    system: tuple[Literal["classifier", "compm", "cled", "mplp"], ...] = ("classifier",)
    """What is built on the encoder, of mplp on an encoder-decoder; several are compared, the first is the control.
    Options that are left out have the values of each system's paper."""
    input: tuple[Literal["utterance", "name", "past", "both", "mask", "tags"], ...] | None = None
    """What is read of an utterance: utterance, of CoMPM and CLED tags, of MPLP its own; several are compared, the first
    is the control."""
    set: tuple[str, ...] = ()
    """FIELD=VALUE: settings, over all other options, as in compm.projection=false."""
    axis: Annotated[tuple[str, ...], ONE_EACH, Parameter(show_default=False)] = ()
    """FIELD=VALUE,VALUE: variants of the one system and input, as in compm.memory=frozen,scratch,none. May be given
    again for other fields."""
    paraphrases: Path | None = None
    """JSON object of classes and what MPLP's decoder says of them, in place of the paraphrases that it has."""
    synonyms: Path | None = None
    """Groups of synonyms, one a line, separated by commas, for CLED's augmentations insert and replace."""
    context_turns: int | None = None
    """Most turns on either side, 100, of MPLP 5; what fits decides first."""
    max_length: Count | None = None
    """Tokens of an input: 256, of CoMPM and CLED 512, of MPLP 128."""
    pooling: Literal["cls", "mean"] = "cls"
    """State that the classifier reads; mask reads its mask's."""
    epochs: Count | None = None
    """Epochs, of which the best on validation is kept: 5, of CoMPM and CLED 10, of MPLP 1 after 4 of the
    first stage."""
    batch_size: Count | None = None
    """Utterances of an update, over all workers: 32, of CoMPM 1, of CLED and MPLP 8."""
    learning_rate: float | None = None
    """Peak rate of the encoder's top layer: 1e-5, of CoMPM and CLED 1e-6, of MPLP 2e-5."""
    head_rate: float | None = None
    """Peak rate of all that is not pre-trained: 1e-4, of CoMPM and CLED 1e-6, of MPLP 2e-3."""
    layer_decay: float = 1.0
    """Factor on the rate from each layer to the one below."""
    weight_decay: float = 0.01
    """AdamW's weight decay."""
    warmup: float | None = None
    """Share of the updates in which the rate rises: .1, of CoMPM and CLED the first epoch, of MPLP .6."""
    clip: float | None = None
    """Largest norm of the gradient: 1, of CoMPM and CLED 10."""
    dropout: float | None = None
    """Dropout of the classifier: .1, of MPLP .3."""
    pass_tokens: Count = 4096
    """Most tokens of a forward pass; less takes less memory."""
    bf16: bool = False
    """Matrix products in bfloat16."""
    unseen: tuple[str, ...] = ()
    """Classes whose labels are not learned, for zero-shot studies on the features."""
    folds: Count | None = None
    """Tune one more encoder without each of so many parts of train, for cross-fitted features."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of every variant."""
    workers_per_cell: Count = 1
    """Processes that tune one encoder together by DDP."""
    resources: Annotated[Resources, FLAT] = field(default_factory=Resources)
    checkpoint_seconds: float = 300.0
    """Least time between two saved states of an unfinished encoder."""
    study: str = "finetuning"
    """Name of the MLflow experiment and of the report's folder."""
    storage: OutputFolder = Path("runs")
    """Folder of everything that is written."""
    output: OutputFolder | None = None
    """Folder of the encoders; STORAGE/encoders unless given."""
    dry_run: bool = False
    """Check encoder and corpus and show the cells, tune nothing."""


def finetune_text(*, options: Annotated[FinetuneOptions, FLAT]) -> int:
    """Tune a text encoder on a corpus's emotions, each variant and seed as a cell: verdicts, and encoders for extract.

    Train is learned, validation picks the epoch, test is reported. Encoders are left in
    OUTPUT/<corpus>/<variant>/seed-<seed>, with a card that says which labels they have seen; `fmerl extract
    --text-encoder` reads them. Rerunning the same command goes on where the last one ended.
    """
    from fmerl_platform.cli.progress import RunProgress
    from fmerl_platform.finetuning.run import TuningRun, run_tuning

    request = request_of(options)
    check_ready(dry_run=options.dry_run)
    if options.dry_run:
        say(request.check())
        for cell in (*request.cells, *request.fold_cells):
            say(f"{cell.name}  {cell.folder}", to=results)
        return EXIT_OK
    how = TuningRun(storage=options.storage, resources=options.resources, checkpoint_seconds=options.checkpoint_seconds)
    found = run_tuning(request, how, partial(RunProgress, console))
    show(found.published.tables)
    for failure in found.failures:
        say(f"failed: {failure.cell.name}: {failure.error}", "red", results)
    say(f"encoders  {request.cells[0].folder.parents[1]}", to=results)
    say(f"report    {found.published.paths.html}", to=results)
    say(f"compare   mlflow ui --backend-store-uri {found.experiment.uri}", to=results)
    return EXIT_OK if found.complete else EXIT_FAILED


def request_of(options: FinetuneOptions) -> TuningRequest:
    """The request that these options make.

    Raises:
        InputError: An option out of its range.
    """
    from fmerl.corpus import read_corpus
    from fmerl.finetuning.config import CLEDConfig, MPLPConfig
    from fmerl.finetuning.edits import read_synonyms
    from fmerl.finetuning.mplp.paraphrases import read_paraphrases
    from fmerl_platform.finetuning.request import TuningRequest
    from fmerl_platform.finetuning.variants import tuning_variants
    from fmerl_platform.study.study import check_study_name

    check_study_name(options.study)
    place = Path(options.encoder)
    cpus = options.resources.cpus_per_cell
    given = {name: getattr(options, name) for name in _SAME if getattr(options, name) is not None}
    if options.warmup is not None:
        given["warmup_by"] = "share"
    if options.paraphrases is not None:
        if "mplp" not in options.system:
            raise InputError("--paraphrases", "only mplp reads them", "add --system mplp, or leave them out")
        given["mplp"] = MPLPConfig(paraphrases=read_paraphrases(options.paraphrases))
    if options.synonyms is not None:
        if "cled" not in options.system:
            raise InputError("--synonyms", "only cled reads them", "add --system cled, or leave them out")
        read_synonyms(options.synonyms)
        given["cled"] = CLEDConfig(synonyms=str(options.synonyms.resolve()))
    # Workers may start elsewhere.
    given["encoder"] = str(place.resolve()) if place.is_dir() else options.encoder
    given["precision"] = "bfloat16" if options.bf16 else "float32"
    given["workers"] = options.workers_per_cell
    given["threads"] = 1 if cpus == "auto" else max(1, int(cpus))
    return TuningRequest(
        corpus=read_corpus(options.corpus),
        source=options.corpus,
        variants=tuning_variants(options.system, options.input, given, options.set, options.axis),
        seeds=options.seeds,
        folds=options.folds,
        unseen=options.unseen,
        study=options.study,
        output=options.output or options.storage / "encoders",
    )


_SAME = (
    "context_turns",
    "max_length",
    "pooling",
    "epochs",
    "batch_size",
    "learning_rate",
    "head_rate",
    "layer_decay",
    "weight_decay",
    "warmup",
    "clip",
    "dropout",
    "pass_tokens",
)
"""Options that are fields of `TuningConfig`."""
