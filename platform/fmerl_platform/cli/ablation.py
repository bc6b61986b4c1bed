"""`fmerl ablation`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fmerl_platform.cli.grid import plan_and_run, ready
from fmerl_platform.cli.options import FLAT, Conditions, Folds, MarginOptions, StudyOptions
from fmerl_platform.cli.variants import VariantOptions
from fmerl_platform.study.study import SYNTHETIC, Study


@dataclass(frozen=True, kw_only=True)
class AblationOptions(StudyOptions):
    """Options of an ablation."""

    corpus: tuple[str, ...] = SYNTHETIC
    """Corpus folders, or names of synthetic corpora."""
    compared: Annotated[VariantOptions, FLAT] = field(default_factory=VariantOptions)
    folds: Folds = None
    conditions: Conditions = ()
    equivalence: Annotated[MarginOptions, FLAT] = field(default_factory=MarginOptions)
    study: str = "ablation"
    """Name of the MLflow experiment and of the report's folder."""


def ablation(*, options: Annotated[AblationOptions, FLAT] = AblationOptions()) -> int:
    """Run the paper's ablation (Table 3), or your own, on Ray Tune, logged to MLflow: variants x corpora x seeds.

    Without options: the seven variants, both synthetic corpora, five seeds, preset laptop. Rerunning the same command
    resumes.
    """
    study = Study(
        options.study,
        corpora=options.corpus,
        variants=options.compared.chosen(),
        seeds=options.seeds,
        inputs=options.inputs,
        folds=options.folds,
        conditions=options.conditions,
    )
    with ready(study, options):
        from fmerl_platform.studies.ablation import Ablation  # starts slowly, so only once the study is valid

        return plan_and_run(study, Ablation(margin=options.equivalence.margin), options)
