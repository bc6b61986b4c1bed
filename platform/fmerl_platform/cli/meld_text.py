"""`fmerl meld-text`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, results, say
from fmerl_platform.cli.corpora import MeldTextEncoder
from fmerl_platform.cli.grid import plan, ready, run
from fmerl_platform.cli.options import FLAT, Conditions, MarginOptions, StudyOptions
from fmerl_platform.cli.variants import VariantOptions
from fmerl_platform.study.study import Study


@dataclass(frozen=True, kw_only=True)
class MeldTextOptions(StudyOptions):
    """Options of the ablation on MELD's text."""

    meld: Path
    """Folder of MELD's three CSVs."""
    emobank: Path
    """EmoBank's emobank.csv."""
    encoded: Annotated[MeldTextEncoder, FLAT] = field(default_factory=MeldTextEncoder)
    conditions: Conditions = ()
    compared: Annotated[VariantOptions, FLAT] = field(default_factory=VariantOptions)
    equivalence: Annotated[MarginOptions, FLAT] = field(default_factory=MarginOptions)
    study: str = "meld-text"
    """Name of the MLflow experiment and of the report's folder."""


def meld_text(*, options: Annotated[MeldTextOptions, FLAT]) -> int:
    """Run the paper's ablation on MELD's text: real conversations, a text encoder, VAD learned from EmoBank.

    Converts the raw CSVs, encodes the utterances, scores valence, arousal and dominance by a ridge regression trained
    on EmoBank, runs the grid, and says how far FMERL lies above logistic regression on the same features.
    Rerunning the same command resumes.
    """
    study = Study(
        options.study,
        variants=options.compared.chosen(),
        seeds=options.seeds,
        inputs=options.inputs,
        conditions=options.conditions,
    )
    with ready(study, options):
        return _plan_and_run(study, options)


def _plan_and_run(study: Study, options: MeldTextOptions) -> int:
    from fmerl_platform.studies.ablation import Ablation
    from fmerl_platform.studies.ablation.logistic_reference import REFERENCE, against_reference

    study = options.encoded.study(study, options.meld, options.emobank, options.storage)
    planned = plan(study, Ablation(margin=options.equivalence.margin), options)
    if planned is None:
        return EXIT_OK
    found = run(planned, options)
    for inputs, cells in zip(planned.inputs, found.corpora, strict=True):
        if not cells.of_variant(cells.control):
            continue
        score, lead = against_reference(cells, inputs.data)
        say(
            f"{cells.control} lies {100 * lead.delta:+.2f} points "
            f"[{100 * lead.ci_low:+.2f}, {100 * lead.ci_high:+.2f}] from "
            f"{REFERENCE} on the same features ({100 * score:.2f}), p = {lead.p_value:.2g}",
            to=results,
        )
    return EXIT_OK if found.complete else EXIT_FAILED
