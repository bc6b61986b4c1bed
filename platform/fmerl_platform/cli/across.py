"""`fmerl across`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show_report
from fmerl_platform.cli.grid import tell
from fmerl_platform.cli.options import FLAT, StudyOptions
from fmerl_platform.study.paper import CONTROL, SYSTEMS
from fmerl_platform.study.study import Study
from fmerl_platform.study.variant import by_name


@dataclass(frozen=True, kw_only=True)
class AcrossOptions(StudyOptions):
    """Options of a study across corpora."""

    corpus: tuple[str, ...]
    """Corpus folders, two or more, whose features were made by the same encoders."""
    classes: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """CORPUS:OLD=NEW: names under which classes are compared, as in meld:joy=happy; an empty NEW compares none. Classes
    meet where their names are the same."""
    system: Annotated[str, Parameter(choices=list(by_name(SYSTEMS)))] = CONTROL
    """System to train."""
    study: str = "across"
    """Name of the MLflow experiment and of the report's folder."""


def across(*, options: Annotated[AcrossOptions, FLAT]) -> int:
    """Train a system on each corpus and test it on all of them: a matrix of corpora, rows train, columns test.

    Weighted F1 over the classes that meet, against the majority class and against the tested corpus's own models;
    concordance of valence, arousal and dominance, where their ranges are mapped ends to ends. Models are kept.
    Rerunning the same command resumes.
    """
    from fmerl_platform.cli.ready import check_ready

    variants = (by_name(SYSTEMS)[options.system],)
    study = Study(options.study, corpora=options.corpus, variants=variants, seeds=options.seeds, inputs=options.inputs)
    check_ready(dry_run=options.dry_run)
    from fmerl_platform.across.request import plan_across

    planned = plan_across(study, options.classes, options.storage)
    tell(planned.plan, options)
    for line in planned.describe():
        say(line)
    if options.dry_run:
        return EXIT_OK
    from fmerl_platform.across.run import run_across
    from fmerl_platform.cli.progress import RunProgress

    found = run_across(
        planned,
        storage=options.storage,
        resources=options.resources,
        keep=options.keep,
        progress=partial(RunProgress, console),
    )
    paths = found.report.save(found.study.folder / "across")
    show_report(found.report.tables, found.report.warnings, paths.html)
    for failure in found.study.failures:
        say(f"failed: {failure.cell.name}: {failure.error}", "red", results)
    return EXIT_OK if found.study.complete else EXIT_FAILED
