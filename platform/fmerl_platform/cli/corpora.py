"""Corpora that a command line names, MELD's raw text among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from fmerl.errors import InputError
from fmerl_platform.cli.console import console
from fmerl_platform.cli.options import StudyOptions
from fmerl_platform.study.study import SYNTHETIC, Study
from fmerl_platform.study.variant import Variant

_MELD_TEXT_EPOCHS = 20
"""Epochs of the ablation on MELD's text."""


@dataclass(frozen=True, kw_only=True)
class CorpusOptions:
    """Corpora to read."""

    corpus: tuple[str, ...] = SYNTHETIC
    """Corpus folders, or names of synthetic corpora."""
    meld: Path | None = None
    """Folder of MELD's three CSVs, in place of --corpus."""
    emobank: Path | None = None
    """EmoBank's emobank.csv, needed with --meld."""

    def study(self, name: str, variants: Sequence[Variant], options: StudyOptions) -> Study:
        """The study of these corpora; MELD's raw text is prepared first.

        Raises:
            InputError: One of two options that belong together, or raw text that cannot be read.
        """
        if (self.meld is None) != (self.emobank is None):
            raise InputError("--meld, --emobank", "only one of them is given", "give both")
        study = Study(name, corpora=self.corpus, variants=variants, seeds=options.seeds, inputs=options.inputs)
        if self.meld is None or self.emobank is None:
            return study
        return of_meld_text(study, self.meld, self.emobank, options.storage)


def of_meld_text(
    study: Study,
    meld: Path,
    emobank: Path,
    storage: Path,
    encoder: str | None = None,
    pooling: Literal["mean", "cls"] = "mean",
) -> Study:
    """The study on MELD's text in place of its corpora: 20 epochs unless the study says otherwise."""
    from fmerl.config.presets import OFFLINE_ENCODER
    from fmerl_platform.cli.progress import RateProgress
    from fmerl_platform.cli.ready import check_ray
    from fmerl_platform.importing.meld_text import prepare_meld_text

    check_ray()
    counting = partial(RateProgress, console)
    prepared = prepare_meld_text(meld, emobank, encoder or OFFLINE_ENCODER, pooling, storage, counting)
    inputs = replace(
        study.inputs,
        features=prepared.features,
        labels=prepared.labels,
        epochs=study.inputs.epochs or _MELD_TEXT_EPOCHS,
    )
    return replace(study, corpora=(str(prepared.corpus),), inputs=inputs)
