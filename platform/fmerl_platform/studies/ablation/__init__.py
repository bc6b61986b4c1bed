"""Ablations: variants judged against a control (the paper's Tables 1 and 3).

Statistics and plots are imported where cells are judged: a finished study needs neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.publish import RunSummary, RunView
from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.document import Report
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.options import check_margin
from fmerl_platform.study.record import StudyRecord
from fmerl_platform.study.variant import Variant

if TYPE_CHECKING:
    from fmerl_platform.studies.ablation.analysis import CorpusAnalysis


@dataclass(frozen=True)
class Ablation:
    """A study whose variants are compared with its control by weighted F1, paired by seed."""

    margin: float | None = None
    """Points of weighted F1 within which a variant counts as equivalent; None judges no equivalence."""

    name: ClassVar[str] = "ablation"
    view: ClassVar[RunView] = RunView(
        columns=(
            "tags.`fmerl.verdict`",
            "metrics.`delta_weighted_f1`",
            "metrics.`delta_ci_low`",
            "metrics.`delta_ci_high`",
            "metrics.`p_value_holm`",
            "metrics.`test_weighted_f1_mean`",
            "tags.`fmerl.changes`",
        ),
        order="metrics.`delta_weighted_f1`",
    )

    def __post_init__(self) -> None:
        check_margin(self.margin)

    def variants(self, inputs: CorpusInputs) -> Sequence[Variant]:
        """No further variants: all are the study's own."""
        return ()

    def others(self, experiment: Experiment) -> Sequence[Experiment]:
        """None."""
        return ()

    def analyse(
        self, record: StudyRecord, corpora: Sequence[CorpusCells], experiment: Experiment
    ) -> tuple[CorpusAnalysis, ...]:
        from fmerl_platform.studies.ablation.analysis import analyse

        margin = None if self.margin is None else self.margin / 100
        return tuple(analyse(results, margin=margin) for results in corpora)

    def report(self, record: StudyRecord, analyses: Sequence[CorpusAnalysis]) -> Report:
        from fmerl_platform.studies.ablation.sections import ablation_report

        return ablation_report(record, analyses)

    def summaries(self, record: StudyRecord, analyses: Sequence[CorpusAnalysis]) -> Sequence[RunSummary]:
        from fmerl_platform.studies.ablation.publish import run_summary

        return [run_summary(analysis, row) for analysis in analyses for row in analysis.rows]

    def note(self, record: StudyRecord, analyses: Sequence[CorpusAnalysis]) -> str:
        from fmerl_platform.studies.ablation.publish import study_note

        return study_note(analyses)
