"""`fmerl report`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, results, say, show_report
from fmerl_platform.cli.options import FLAT, MarginOptions, OutputFolder

if TYPE_CHECKING:
    from fmerl_platform.studies.reproduce import Reproduction


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of a report."""

    study: str = "ablation"
    """MLflow experiment of the study."""
    storage: Path = Path("runs")
    """Folder that the study was run with."""
    corpus: tuple[str, ...] = ()
    """Report on these corpora alone."""
    equivalence: Annotated[MarginOptions, FLAT] = field(default_factory=MarginOptions)
    output: OutputFolder | None = None
    """Folder of the report; STORAGE/reports/STUDY unless given."""
    reproduce: str | None = None
    """Fingerprint, or its beginning, or CORPUS/VARIANT/SEED: train this cell again instead, and compare. Same code,
    packages and processor must give the same bits, others test w-F1 to 0.5 points."""


def report(*, options: Annotated[ReportOptions, FLAT] = ReportOptions()) -> int:
    """Make a study's report again from its finished runs, or train one of its cells again and compare.

    The report is made from MLflow alone: neither corpora nor features are needed, and nothing else is trained.
    """
    from fmerl_platform.studies.reproduce import reproduce
    from fmerl_platform.studies.results import open_study

    study = open_study(options.study, options.storage)
    if options.reproduce:
        return _compare(reproduce(study.experiment, study.record, options.reproduce, options.storage))
    study = study.of_corpora(options.corpus) if options.corpus else study
    if options.equivalence.margin is not None:
        study = study.with_margin(options.equivalence.margin)
    published = study.publish(options.output or study.folder)
    show_report(published.tables, published.warnings, published.paths.html)
    return EXIT_OK


def _compare(found: Reproduction) -> int:
    from fmerl_platform.report.numbers import percent
    from fmerl_platform.studies.reproduce import TOLERANCE

    cell = found.cell
    say(f"{cell.corpus} · {cell.variant} · seed {cell.seed} · {cell.fingerprint[:12]}", to=results)
    say(
        f"test w-F1 {percent(cell.metrics['test_weighted_f1'])} then, {percent(found.weighted_f1)} now; "
        f"{found.changed_predictions} of {len(cell.predictions)} predictions differ, "
        f"scores by at most {found.largest_score_difference:.2g}",
        to=results,
    )
    rule = (
        f"not as it was: {', '.join(found.differs)}; allowed are {100 * TOLERANCE} points of w-F1"
        if found.differs
        else "same code, packages and processor: the same bits are asked for"
    )
    say(f"{'reproduced' if found.within_tolerance else 'NOT reproduced'} ({rule})", to=results)
    return EXIT_OK if found.within_tolerance else EXIT_FAILED
