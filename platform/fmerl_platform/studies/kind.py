"""Interface of a kind of study: the core trains and stores cells, a kind analyses and reports them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.publish import RunSummary, RunView
from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.document import Report
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.record import StudyRecord
from fmerl_platform.study.variant import Variant


class StudyKind(Protocol):
    """A frozen dataclass whose fields are plain values: the study's record keeps them beside the kind's name."""

    name: ClassVar[str]
    view: ClassVar[RunView]
    """View in which MLflow's UI compares the variants."""

    def variants(self, inputs: CorpusInputs) -> Sequence[Variant]:
        """Further variants of one corpus, by its content."""

    def others(self, experiment: Experiment) -> Sequence[Experiment]:
        """Other studies whose cells the report shows beside this one's.

        Raises:
            InputError: One of them is not there.
        """

    def analyse(self, record: StudyRecord, corpora: Sequence[CorpusCells], experiment: Experiment) -> Any:
        """Analyse the finished cells of every corpus, in the record's order.

        Raises:
            InputError: Cells that cannot be analysed together.
        """

    def report(self, record: StudyRecord, analysis: Any) -> Report: ...

    def summaries(self, record: StudyRecord, analysis: Any) -> Sequence[RunSummary]:
        """Summaries for the variants' runs in MLflow."""

    def note(self, record: StudyRecord, analysis: Any) -> str:
        """The study's description in MLflow, in Markdown."""
