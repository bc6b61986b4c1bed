"""`fmerl score`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fmerl_platform.cli.console import EXIT_OK, show_report
from fmerl_platform.cli.options import FLAT, MarginOptions, OutputFolder


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Options of scoring predictions."""

    predictions: tuple[str, ...]
    """CSV or Parquet files of utterance_id and predicted, as PATH or NAME=PATH. Optional columns: seed; one probability
    per class, under the class's name; valence, arousal and dominance."""
    corpus: str | None = None
    """Corpus folder whose test split the files predict; with --study not needed, or the name of one of its corpora."""
    study: str | None = None
    """Study whose variant the files are compared with; without it they are compared with the first of them."""
    variant: str | None = None
    """Variant of the study; its control unless given."""
    storage: Path = Path("runs")
    """Folder that the study was run with."""
    equivalence: Annotated[MarginOptions, FLAT] = field(default_factory=MarginOptions)
    output: OutputFolder = Path("score")
    """Folder of the report."""


def score(*, options: Annotated[ScoreOptions, FLAT]) -> int:
    """Score anyone's predictions as a study's cells are scored, and compare them by the same paired statistics.

    Weighted F1, accuracy, macro F1, UAR, each class, parts of the test set; calibration where the files hold
    probabilities, concordance where they hold valence, arousal and dominance and the corpus has human scores.
    """
    from fmerl_platform.scoring.files import named_paths
    from fmerl_platform.scoring.report import score_report
    from fmerl_platform.scoring.request import ScoreRequest, read_inputs

    request = ScoreRequest(
        files=named_paths(options.predictions),
        corpus=options.corpus,
        study=options.study,
        variant=options.variant,
        storage=options.storage,
        margin=options.equivalence.margin,
    )
    report = score_report(read_inputs(request))
    paths = report.save(options.output)
    show_report(report.tables, report.warnings, paths.html)
    return EXIT_OK
