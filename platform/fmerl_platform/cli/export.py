"""`fmerl export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fmerl.card import check_replaceable
from fmerl.errors import InputError
from fmerl_platform.cli.console import EXIT_OK, results, say
from fmerl_platform.cli.options import FLAT, OutputFolder


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of an export."""

    output: OutputFolder
    """Folder of the bundle."""
    study: str = "ablation"
    """MLflow experiment of the study."""
    storage: Path = Path("runs")
    """Folder that the study was run with."""
    variant: str | None = None
    """Variant; the study's control unless given."""
    corpus: str | None = None
    """Corpus, where the study has several."""
    seeds: tuple[int, ...] | None = None
    """Seeds, which predict together; all that are finished unless given."""
    retrain: bool = False
    """Train seeds again that kept no weights; refused unless they give the same numbers again."""
    data_licence: str | None = None
    """Licence of the corpus, for the model card."""
    mlflow: bool = False
    """Log the bundle as a model (pyfunc) of the variant's run as well."""
    register: str | None = None
    """Name to register that model under."""
    alias: str | None = None
    """Alias of the registered version, such as champion."""
    dry_run: bool = False
    """Say which seeds would be exported, write nothing."""


def export(*, options: Annotated[ExportOptions, FLAT]) -> int:
    """Export a variant of a finished study: its seeds' models in one folder, with a model card.

    The folder needs neither the study nor its data: fmerl predict uses it. Seeds keep their weights when they are
    trained with --keep-weights.
    """
    if options.alias is not None and options.register is None:
        raise InputError("--alias", "there is no registered name that it could stand for", "give --register")
    from fmerl_platform.prediction.export import ExportRequest, choose, log_to_mlflow
    from fmerl_platform.prediction.export import export as write
    from fmerl_platform.studies.results import open_study

    study = open_study(options.study, options.storage)
    check_replaceable(options.output)
    if options.register is not None:
        from fmerl_platform.ledger.models.bundles import check_registrable

        check_registrable(study.experiment.uri, options.register, options.alias)
    request = ExportRequest(
        variant=options.variant,
        corpus=options.corpus,
        seeds=options.seeds,
        retrain=options.retrain,
        data_licence=options.data_licence,
    )
    corpus, cells = choose(study, request)
    seeds = " ".join(str(cell.seed) for cell in cells)
    say(f"{corpus.corpus}: {cells[0].variant}, seeds {seeds}", to=results)
    if options.dry_run:
        return EXIT_OK
    manifest = write(study, request, options.output, options.storage)
    say(f"bundle   {options.output}", to=results)
    if options.mlflow or options.register is not None:
        logged = log_to_mlflow(study, manifest, options.output, options.register, options.alias)
        say(f"model    {logged.uri}", to=results)
        if options.register is not None:
            version = f"{options.register}@{options.alias}" if options.alias else f"{options.register}/{logged.version}"
            say(f"         models:/{version}", to=results)
    return EXIT_OK
