"""`fmerl report`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fmerl.errors import InputError
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, results, say, show_report
from fmerl_platform.cli.options import FLAT, MarginOptions, OutputFolder

if TYPE_CHECKING:
    from fmerl_platform.studies.reproduce import Reproduction


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of a report."""

    study: tuple[str, ...] = ("ablation",)
    """MLflow experiment of the study. Of several, one table of all their variants is written: HTML, LaTeX, Markdown,
    JSON and CSV."""
    storage: Path = Path("runs")
    """Folder that the study was run with."""
    corpus: tuple[str, ...] = ()
    """Report on these corpora alone."""
    equivalence: Annotated[MarginOptions, FLAT] = field(default_factory=MarginOptions)
    output: OutputFolder | None = None
    """Folder of the report; STORAGE/reports/STUDY, of several STORAGE/reports/joint, unless given."""
    reproduce: str | None = None
    """Fingerprint, or its beginning, or CORPUS/VARIANT/SEED: train this cell again instead, and compare. Same code,
    packages and processor must give the same bits, others test w-F1 to 0.5 points."""


def report(*, options: Annotated[ReportOptions, FLAT] = ReportOptions()) -> int:
    """Make a study's report again from its finished runs, or a joint table of several, or train one cell again.

    The report is made from MLflow alone: neither corpora nor features are needed, and nothing else is trained.
    """
    from fmerl_platform.studies.joint import joint_report, save_joint
    from fmerl_platform.studies.reproduce import reproduce
    from fmerl_platform.studies.results import open_study

    studies = [open_study(name, options.storage) for name in options.study]
    if options.reproduce:
        if len(studies) > 1:
            raise InputError("--reproduce", "a cell is of one study", "give one --study")
        study = studies[0]
        return _compare(reproduce(study.experiment, study.record, options.reproduce, options.storage))
    if options.corpus:
        studies = [each.of_corpora(options.corpus) for each in studies]
    if options.equivalence.margin is not None:
        studies = [each.with_margin(options.equivalence.margin) for each in studies]
    if len(studies) > 1:
        joint = joint_report(studies)
        paths = save_joint(joint, options.output or options.storage / "reports" / "joint")
        show_report(joint.tables, joint.warnings, paths.html)
        return EXIT_OK
    study = studies[0]
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
