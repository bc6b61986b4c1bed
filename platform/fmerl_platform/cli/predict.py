"""`fmerl predict`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from fmerl.errors import InputError
from fmerl_platform.cli.asking_options import Count
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show
from fmerl_platform.cli.extract import absolute
from fmerl_platform.cli.options import FLAT, ONE_EACH, OutputFolder
from fmerl_platform.running.options import Auto, Resources

if TYPE_CHECKING:
    from fmerl_platform.prediction.request import PredictionRequest
    from fmerl_platform.prediction.run import PredictionPlan


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options of a prediction."""

    output: Path | None = None
    """CSV, JSON lines or Parquet file, by its ending; a table on the screen unless given."""
    classes: Annotated[tuple[str, ...], ONE_EACH, Parameter(show_default=False)] = ()
    """NAME=DESCRIPTION: a class to add or describe anew, as in "pride=Valence: high, Arousal: moderate, Dominance:
    high". May be given again. Such classes were never trained: how well they are recognised is measured by zero-shot
    studies (fmerl zero-shot), and not here."""
    split: Literal["train", "validation", "test"] | None = None
    """Split of a corpus to predict alone."""
    media_roots: tuple[Path, ...] = ()
    """Folders beside the input's own that may hold its media."""
    features: Path | None = None
    """Feature tables of a corpus folder, made by the same recipes, in place of features made now."""
    text_encoder: str | None = None
    """Where the bundle's text encoder lies here, if elsewhere than its recipe says."""
    audio_set: str | None = None
    """openSMILE configuration file likewise."""
    audio_encoder: str | None = None
    """Speech encoder likewise."""
    visual_encoder: str | None = None
    """Image encoder likewise."""
    visual_weights: Path | None = None
    """Weights of the densenet likewise."""
    emotion_encoder: str | None = None
    """Encoder of the emotion descriptions likewise, for --classes."""
    workers: Count | Auto = "auto"
    """Most workers of a large input; auto: as many as the nodes hold that there are, or that a growing cluster may
    have."""
    cpus_per_worker: float | Auto = "auto"
    """CPUs and threads of a worker; auto: beside GPUs its share of the node's, else 1."""
    gpus_per_worker: float | Auto = "auto"
    """GPUs likewise; fractions share a GPU; auto: for text and faces a share where there are GPUs or may be."""
    storage: OutputFolder = Path("runs")
    """Folder of MLflow's database and of unfinished work."""
    dry_run: bool = False
    """Read bundle, input and encoders, and say what would be predicted."""


def predict(bundle: str, conversations: Path, /, *, options: Annotated[PredictOptions, FLAT] = PredictOptions()) -> int:
    """Predict the emotions of your own conversations with a trained model.

    BUNDLE is a folder of fmerl export, a run's id, models:/NAME/VERSION or models:/NAME@ALIAS. CONVERSATIONS is a CSV,
    Parquet, JSON lines or chat JSON file, or a corpus folder; a turn needs a speaker and a text.

    One row per turn, in the order of the input: the class, a calibrated probability per class, valence, arousal and
    dominance, missing modalities, and the spread over seeds. More than 2,000 turns go through Ray piece by piece, in
    constant memory; the same command resumes.
    """
    from fmerl_platform.cli.progress import RateProgress
    from fmerl_platform.cli.ready import check_ray
    from fmerl_platform.prediction.request import PredictionError
    from fmerl_platform.prediction.rows import check_output
    from fmerl_platform.prediction.run import plan_predictions, predict_to_file, predictions
    from fmerl_platform.prediction.summary import describe, rows_table

    if options.output is not None:
        check_output(options.output)
    plan = plan_predictions(request_of(bundle, conversations, options))
    if plan.large and options.features is None:
        check_ray()
    if options.dry_run:
        for line in describe(plan):
            say(line, to=results)
        return EXIT_OK
    if options.output is None:
        _check_small(plan)
        show([rows_table(next(predictions(plan)), plan.predictor.bundle.classes)])
        return EXIT_OK
    try:
        count = predict_to_file(plan, options.output, partial(RateProgress, console))
    except PredictionError as error:
        say(f"prediction ended early: {error}", "red")
        return EXIT_FAILED
    say(f"{count:,} rows  {options.output}", to=results)
    return EXIT_OK


def request_of(bundle: str, conversations: Path, options: PredictOptions) -> PredictionRequest:
    """The request that these options make."""
    from fmerl.bundle.recipes import Places
    from fmerl_platform.prediction.request import PredictionRequest

    places = Places(
        text_encoder=_absolute(options.text_encoder),
        audio_set=_absolute(options.audio_set),
        audio_encoder=_absolute(options.audio_encoder),
        visual_encoder=_absolute(options.visual_encoder),
        visual_weights=None if options.visual_weights is None else options.visual_weights.resolve(),
    )
    return PredictionRequest(
        bundle=bundle,
        input=conversations,
        media_roots=options.media_roots,
        split=options.split,
        features=options.features,
        classes=options.classes,
        places=places,
        anchor_encoder=options.emotion_encoder,
        storage=options.storage,
        resources=Resources(
            cpus_per_cell=options.cpus_per_worker,
            gpus_per_cell=options.gpus_per_worker,
            cells_at_once=options.workers,
        ),
    )


def _absolute(name: str | None) -> str | None:
    return None if name is None else absolute(name)


def _check_small(plan: PredictionPlan) -> None:
    if plan.large:
        raise InputError("--output", "the input is too long for the screen", "name a file of rows")
