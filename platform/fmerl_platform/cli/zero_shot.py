"""`fmerl zero-shot`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from cyclopts import Parameter

from fmerl_platform.cli.corpora import CorpusOptions
from fmerl_platform.cli.grid import plan_and_run, ready
from fmerl_platform.cli.options import FLAT, StudyOptions
from fmerl_platform.cli.variants import ALL, OTHER_SYSTEMS, OTHERS, among
from fmerl_platform.study.paper import PAPER, SYSTEMS


@dataclass(frozen=True, kw_only=True)
class ZeroShotOptions(StudyOptions):
    """Options of a zero-shot study."""

    unseen: tuple[str, ...] = ()
    """[CORPUS=]CLASS: classes to hold out, of every corpus or of the one named; each corpus's unseen_class unless
    given."""
    unseen_utterances: Literal["context", "deleted"] = "context"
    """Fate of their utterances in training: unlabelled context, or none."""
    variants: Annotated[tuple[str, ...], Parameter(choices=[ALL, *OTHERS])] = ()
    """Variants besides FMERL."""
    systems: Annotated[tuple[str, ...], Parameter(choices=[ALL, *OTHER_SYSTEMS])] = ()
    """Compared systems, which can predict no unseen class."""
    calibrated_stacking: bool = False
    """Also lower seen classes by a constant, tuned on validation in further cells that hold a seen class out."""
    llm_study: str | None = None
    """MLflow experiment whose language models stand beside."""
    corpora: Annotated[CorpusOptions, FLAT] = field(default_factory=CorpusOptions)
    study: str = "zero-shot"
    """Name of the MLflow experiment and of the report's folder."""


def zero_shot(*, options: Annotated[ZeroShotOptions, FLAT] = ZeroShotOptions()) -> int:
    """Recognise emotions that were never learned (Table 2): classes held out, FMERL on the whole test set.

    Without options: the class that each synthetic corpus calls unseen, five seeds, preset laptop. --meld and --emobank
    hold out fear of MELD's text instead. Rerunning the same command resumes; other classes are another --study.
    """
    variants = (PAPER[0], *among(PAPER, options.variants), *among(SYSTEMS, options.systems))
    study = options.corpora.study(options.study, variants, options)
    from fmerl_platform.study.hold_out import HoldOut

    study = replace(study, hold_out=HoldOut(classes=options.unseen, utterances=options.unseen_utterances))
    with ready(study, options):
        from fmerl_platform.studies.zero_shot import ZeroShot  # starts slowly, so only once the study is valid

        if options.llm_study is not None:
            from fmerl_platform.ledger.experiment import Experiment

            Experiment.existing(options.storage, options.llm_study)  # or there would be nothing to stand beside
        study = options.corpora.prepared(study, options.storage)
        kind = ZeroShot(calibrated_stacking=options.calibrated_stacking, llm_study=options.llm_study)
        return plan_and_run(study, kind, options)
