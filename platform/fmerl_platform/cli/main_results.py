"""`fmerl main-results`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from cyclopts import Parameter

from fmerl_platform.cli.corpora import CorpusOptions
from fmerl_platform.cli.grid import plan_and_run, ready
from fmerl_platform.cli.options import FLAT, Conditions, Folds, MarginOptions, StudyOptions
from fmerl_platform.cli.variants import ALL, OTHER_SYSTEMS, among
from fmerl_platform.study.paper import SYSTEMS


@dataclass(frozen=True, kw_only=True)
class MainResultsOptions(StudyOptions):
    """Options of a comparison of systems."""

    corpora: Annotated[CorpusOptions, FLAT] = field(default_factory=CorpusOptions)
    systems: Annotated[tuple[str, ...], Parameter(choices=[ALL, *OTHER_SYSTEMS])] = (ALL,)
    """Systems beside FMERL, which always runs; those that read knowledge (ask-knowledge) only if named."""
    folds: Folds = None
    conditions: Conditions = ()
    equivalence: Annotated[MarginOptions, FLAT] = field(default_factory=MarginOptions)
    study: str = "main-results"
    """Name of the MLflow experiment and of the report's folder."""


def main_results(*, options: Annotated[MainResultsOptions, FLAT] = MainResultsOptions()) -> int:
    """Compare FMERL with other systems (the paper's Table 1) on the same features, batches, epochs and selection.

    Without options: every system that needs no knowledge, both synthetic corpora, five seeds, preset laptop. --meld and
    --emobank compare them on MELD's text instead, prepared as meld-text does. Rerunning the same command resumes.
    """
    variants = (SYSTEMS[0], *among(SYSTEMS, options.systems))
    study = options.corpora.study(options.study, variants, options)
    study = replace(study, folds=options.folds, conditions=options.conditions)
    with ready(study, options):
        from fmerl_platform.studies.ablation import Ablation  # starts slowly, so only once the study is valid

        study = options.corpora.prepared(study, options.storage)
        return plan_and_run(study, Ablation(margin=options.equivalence.margin), options)
