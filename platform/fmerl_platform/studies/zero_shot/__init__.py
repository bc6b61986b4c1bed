"""Zero-shot studies: classes held out in training, and FMERL on the whole test set (the paper's Table 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.publish import RunSummary, RunView
from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.document import Report
from fmerl_platform.studies.zero_shot.pseudo_unseen import pseudo_unseen_variant
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.hold_out import UNSEEN_CLASSES
from fmerl_platform.study.record import StudyRecord
from fmerl_platform.study.variant import Variant

if TYPE_CHECKING:
    from fmerl_platform.studies.zero_shot.analysis import ZeroShotAnalysis


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """A study that holds classes out; `InputOptions.hold_out` says which.

    Args:
        calibrated_stacking: Also lower seen classes by a constant, tuned in further cells that hold a seen class out.
        llm_study: Study whose language models stand beside the cells.
    """

    calibrated_stacking: bool = False
    llm_study: str | None = None

    name: ClassVar[str] = "zero-shot"
    view: ClassVar[RunView] = RunView(
        columns=(
            "tags.`fmerl.unseen`",
            "metrics.`test_unseen_accuracy_mean`",
            "metrics.`test_unseen_accuracy_sd`",
            "metrics.`test_harmonic_mean_mean`",
            "metrics.`test_weighted_f1_mean`",
            "tags.`fmerl.changes`",
        ),
        order="metrics.`test_unseen_accuracy_mean`",
    )

    def variants(self, inputs: CorpusInputs) -> Sequence[Variant]:
        """The pseudo-unseen variant that calibrated stacking is tuned on."""
        return (pseudo_unseen_variant(inputs),) if self.calibrated_stacking else ()

    def check(self, experiment: Experiment) -> None:
        """Raise InputError where the language models' study is none of the storage's."""
        if self.llm_study is not None:
            experiment.sibling(self.llm_study)

    def analyse(
        self, record: StudyRecord, corpora: Sequence[CorpusCells], experiment: Experiment
    ) -> tuple[ZeroShotAnalysis, ...]:
        from fmerl_platform.studies.zero_shot.analysis import analyse_zero_shot
        from fmerl_platform.studies.zero_shot.language_models import NO_MODELS, read_language_models

        models = None if self.llm_study is None else experiment.sibling(self.llm_study)
        analyses = []
        for corpus, cells in zip(record.corpora, corpora, strict=True):
            unseen = tuple(corpus.control[UNSEEN_CLASSES])
            analyses.append(
                analyse_zero_shot(
                    cells,
                    unseen,
                    corpus.control["training.unseen_utterances"],
                    corpus.supervised,
                    NO_MODELS if models is None else read_language_models(models, corpus.corpus, unseen),
                )
            )
        return tuple(analyses)

    def report(self, record: StudyRecord, analyses: Sequence[ZeroShotAnalysis]) -> Report:
        from fmerl_platform.studies.zero_shot.sections import zero_shot_report

        return zero_shot_report(record, analyses)

    def summaries(self, record: StudyRecord, analyses: Sequence[ZeroShotAnalysis]) -> Sequence[RunSummary]:
        from fmerl_platform.studies.zero_shot.publish import run_summaries

        return [summary for analysis in analyses for summary in run_summaries(analysis)]

    def note(self, record: StudyRecord, analyses: Sequence[ZeroShotAnalysis]) -> str:
        from fmerl_platform.studies.zero_shot.publish import study_note

        return study_note(analyses)
