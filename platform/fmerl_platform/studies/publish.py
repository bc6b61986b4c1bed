"""The report of a study, of whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.runs import StudyRuns, publish
from fmerl_platform.report.render import ReportPaths
from fmerl_platform.report.table import Table, ablation_table
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.zero_shot.publish import publish_zero_shot
from fmerl_platform.studies.zero_shot.tables import zero_shot_tables
from fmerl_platform.study.record import StudyRecord


@dataclass(frozen=True, kw_only=True)
class Published:
    """A report that was written."""

    tables: tuple[Table, ...]
    """For the terminal."""
    paths: ReportPaths
    analyses: tuple[CorpusAnalysis, ...] = ()
    """Of an ablation, by corpus."""


def publish_study(experiment: Experiment, record: StudyRecord, runs: StudyRuns, folder: Path) -> Published:
    """Judge a study's finished cells and write what they show to MLflow and to `folder`.

    Raises:
        InputError: Cells that cannot be judged together.
    """
    if record.zero_shot:
        zero_shot, paths = publish_zero_shot(experiment, record, runs, folder)
        return Published(tables=tuple(table for each in zero_shot for table in zero_shot_tables(each)), paths=paths)
    report, paths = publish(experiment, record, runs, folder)
    tables = tuple(ablation_table(analysis) for analysis in report.analyses)
    return Published(tables=tables, paths=paths, analyses=report.analyses)
