"""Running of a study for a command: plan on screen, cells, tables."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from fmerl.config import MODALITIES
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show, show_report
from fmerl_platform.cli.options import StudyOptions
from fmerl_platform.study.options import control_config

if TYPE_CHECKING:
    from fmerl_platform.studies.kind import StudyKind
    from fmerl_platform.studies.plan import StudyPlan
    from fmerl_platform.studies.results import StudyResults
    from fmerl_platform.study.study import Study


def ready(study: Study, options: StudyOptions) -> AbstractContextManager[None]:
    """Check what the command runs on, and start Ray for the block while modules and inputs are read.

    It waits for cells where none will be trained: in a dry run, and for a study whose report is there.

    Raises:
        InputError: A configuration that is none, or Ray or the tracking server is not there.
    """
    from fmerl_platform.cli.ready import check_ready

    several = control_config("", MODALITIES, study.inputs).training.workers > 1
    several |= any("training.workers" in variant.declares for variant in study.variants)
    check_ready(dry_run=options.dry_run)
    if options.dry_run or (options.storage / "reports" / study.name).is_dir():
        return nullcontext()
    from fmerl_platform.running.session import early_session

    return early_session(dashboard=several)


def plan(study: Study, kind: StudyKind, options: StudyOptions) -> StudyPlan | None:
    """Read and check a study's inputs and say what they are; None when a dry run ends here."""
    from fmerl_platform.studies.plan import plan_study

    planned = plan_study(study, kind, options.storage)
    tell(planned, options)
    return None if options.dry_run else planned


def tell(planned: StudyPlan, options: StudyOptions) -> None:
    """Say what the inputs are; in a dry run also the cells and where they would run."""
    from fmerl_platform.cli.placement import placement_table
    from fmerl_platform.running.nodes import nodes_to_expect
    from fmerl_platform.running.placement import place_cells
    from fmerl_platform.studies.plan import describe, fold_tables, plan_table, warnings

    for line in describe(planned):
        say(line)
    for line in warnings(planned):
        say(line, "bold yellow")
    if options.dry_run:
        corpora = {item.data.corpus: item for item in planned.inputs}
        placement = place_cells(planned.cells, corpora, options.resources, nodes_to_expect())
        show([*fold_tables(planned), plan_table(planned), placement_table(placement, len(planned.cells))])


def run(planned: StudyPlan, options: StudyOptions) -> StudyResults:
    """Train, report, and print what was found."""
    from fmerl_platform.cli.progress import RunProgress
    from fmerl_platform.studies.run import run_plan

    found = run_plan(
        planned,
        storage=options.storage,
        resources=options.resources,
        keep=options.keep,
        progress=partial(RunProgress, console),
    )
    published = found.published
    show_report(published.tables, published.warnings, published.paths.html)
    for failure in found.failures:
        say(f"failed: {failure.cell.name}: {failure.error}", "red", results)
    say(f"compare  mlflow ui --backend-store-uri {found.experiment.uri}", to=results)
    return found


def plan_and_run(study: Study, kind: StudyKind, options: StudyOptions) -> int:
    """Plan and run a study; returns the exit code."""
    planned = plan(study, kind, options)
    return EXIT_OK if planned is None or run(planned, options).complete else EXIT_FAILED
