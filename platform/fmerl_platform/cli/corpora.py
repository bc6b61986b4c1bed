"""Corpora that a command line names, MELD's raw text among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fmerl.config.presets import OFFLINE_ENCODER
from fmerl.errors import InputError
from fmerl_platform.cli.console import console
from fmerl_platform.cli.options import FLAT, StudyOptions
from fmerl_platform.study.study import SYNTHETIC, Study
from fmerl_platform.study.variant import Variant


@dataclass(frozen=True, kw_only=True)
class MeldTextEncoder:
    """Encoder of MELD's text."""

    text_encoder: str = OFFLINE_ENCODER
    """Encoder of MELD's utterances: a Hugging Face id, a folder or package:MODULE; one of finetune-text reads what its
    card says."""
    pooling: Literal["mean", "cls"] = "mean"
    """Which vector of the encoder's last layer stands for an utterance."""
    text_folds: int | None = None
    """Folds of a tuned encoder: each training utterance is encoded by the one that has not seen its label."""

    def study(self, study: Study, meld: Path, emobank: Path, storage: Path) -> Study:
        """A study on MELD's text in place of its corpora, prepared here.

        Raises:
            InputError, StudyError: See `study_on_meld`.
        """
        from fmerl_platform.cli.progress import RateProgress
        from fmerl_platform.importing.meld_text import MeldText, study_on_meld

        source = MeldText(
            meld=meld, emobank=emobank, encoder=self.text_encoder, pooling=self.pooling, folds=self.text_folds
        )
        return study_on_meld(study, source, storage, partial(RateProgress, console))


@dataclass(frozen=True, kw_only=True)
class CorpusOptions:
    """Corpora to read."""

    corpus: tuple[str, ...] = SYNTHETIC
    """Corpus folders, or names of synthetic corpora."""
    meld: Path | None = None
    """Folder of MELD's three CSVs, in place of --corpus."""
    emobank: Path | None = None
    """EmoBank's emobank.csv, needed with --meld."""
    encoded: Annotated[MeldTextEncoder, FLAT] = field(default_factory=MeldTextEncoder)

    def study(self, name: str, variants: Sequence[Variant], options: StudyOptions) -> Study:
        """The study of these corpora; one on MELD's raw text names others until it is `prepared`.

        Raises:
            InputError: One of two options that belong together, or a corpus that is not there.
        """
        if (self.meld is None) != (self.emobank is None):
            raise InputError("--meld, --emobank", "only one of them is given", "give both")
        if self.meld is None and self.encoded != MeldTextEncoder():
            what = "they say how MELD's text is encoded, and there is no --meld"
            raise InputError("--text-encoder, --pooling, --text-folds", what, "give --meld, or leave them out")
        return Study(name, corpora=self.corpus, variants=variants, seeds=options.seeds, inputs=options.inputs)

    def prepared(self, study: Study, storage: Path) -> Study:
        """The study as it can be run: on MELD's raw text, where it is asked for.

        Raises:
            InputError, StudyError: See `MeldTextEncoder.study`.
        """
        if self.meld is None or self.emobank is None:
            return study
        return self.encoded.study(study, self.meld, self.emobank, storage)
