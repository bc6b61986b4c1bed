"""Studies on MELD's raw CSVs: corpus folder, text features and VAD scores are prepared, each step once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from fmerl.card import read_card, recipe_digest
from fmerl.corpus import Corpus, write_corpus
from fmerl.errors import InputError
from fmerl.features.encoder import EncoderSpec
from fmerl.features.text.encoder import Pooling, TextEncoder
from fmerl.features.text.utterances import TextSpec
from fmerl.finetuning.features import TunedTextSpec, tuned_spec
from fmerl.folds.splits import folds_of
from fmerl.supervision.anchors import encode_anchors
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.supervision.labels import write_labels
from fmerl.supervision.vad_regression import EmoBank, VADRegression, label_corpus, read_emobank, scoring_recipe
from fmerl_platform.extraction.run import ExtractionRequest, extract
from fmerl_platform.importing.releases import read_meld_release
from fmerl_platform.running.progress import Counting, uncounted
from fmerl_platform.study.inputs import configs_of
from fmerl_platform.study.study import Study

_EPOCHS = 20
"""Epochs of a study that names none."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MeldText:
    """MELD's text, and what encodes and scores it.

    Raises:
        InputError: Folds of an encoder that was not tuned here, or a tuned one that cannot be read.
    """

    meld: Path
    """Folder of MELD's three `*_sent_emo.csv`."""
    emobank: Path
    """EmoBank's `emobank.csv`."""
    encoder: str
    """Hugging Face id, local folder or `package:MODULE`. One that was tuned here reads what its card says."""
    pooling: Pooling = "mean"
    folds: int | None = None
    """Folds of a tuned encoder, see `TunedTextSpec`."""

    def __post_init__(self) -> None:
        _ = self._tuned  # refuses what cannot be read

    def spec(self) -> EncoderSpec:
        """Recipe of the text features."""
        return self._tuned or TextSpec(encoder=self.encoder, pooling=self.pooling)

    def scorer(self) -> TextEncoder:
        """Encoder of the scores: of a tuned one the encoder before, since scores should not know the emotions."""
        name = self._tuned.tuned().config.encoder if self._tuned else self.encoder
        return TextEncoder(name, pooling=self.pooling)

    def digest(self) -> str:
        """Digest of encoder and pooling, for a folder's name."""
        folds = {} if self.folds is None else {"folds": self.folds}
        return recipe_digest({"encoder": self.encoder, "pooling": self.pooling, **folds})[:12]

    @cached_property
    def _tuned(self) -> TunedTextSpec | None:
        return tuned_spec(self.encoder, self.folds)


def study_on_meld(study: Study, source: MeldText, storage: Path, counting: Counting = uncounted) -> Study:
    """The study on MELD's text in place of its corpora, for 20 epochs unless it says otherwise.

    MELD is converted, its utterances encoded, and scored with a ridge regression trained on EmoBank.

    Args:
        study: The study.
        source: MELD's text.
        storage: Everything is written to `prepared/` below it.
        counting: Shows progress.

    Raises:
        InputError, StudyError: Before anything is encoded: a file or encoder that is not there, or a study that cannot
            be run on this text.
    """
    study = replace(study, inputs=replace(study.inputs, epochs=study.inputs.epochs or _EPOCHS))
    home = storage / "prepared" / source.digest()
    folder, features, labels = home / "corpus", home / "features", home / "labels"
    corpus, problems = read_meld_release(source.meld)
    emobank, scorer = read_emobank(source.emobank), source.scorer()
    _check(study, corpus, storage / "anchors")
    for problem in problems:
        if problem.on_screen:
            _log.warning("%s: %s", problem.what, problem.action)
    write_corpus(corpus, folder, problems)
    _log.info("%d odd rows of MELD are listed in %s", len(problems), folder / "problems.csv")
    extract(ExtractionRequest(corpus=folder, features=features, specs=[source.spec()], storage=storage), counting)
    _score(corpus, scorer, emobank, labels, counting)
    return replace(study, corpora=(str(folder),), inputs=replace(study.inputs, features=features, labels=labels))


def _check(study: Study, corpus: Corpus, anchors: Path) -> None:
    """Refuse what the study would be refused for once MELD is prepared: its anchors are encoded, and kept, now."""
    configs = configs_of(study, corpus, study.inputs.modalities or ("text",))
    if study.hold_out is not None:
        study.hold_out.check([corpus.name])
    if study.folds is not None:
        folds_of(corpus, study.folds)
    absent = {table for config in configs for table in config.tables} - {"text"}
    if more := [*sorted(absent), *study.inputs.tables]:
        what = f"MELD's text alone is prepared, and the study reads {', '.join(more)}"
        raise InputError("--meld", what, "import and extract MELD, and give --corpus and --features")
    descriptions = read_descriptions(DEFAULT_DESCRIPTIONS)
    encode_anchors(corpus.classes, descriptions, (config.anchors for config in configs), anchors)


def _score(corpus: Corpus, encoder: TextEncoder, emobank: EmoBank, root: Path, counting: Counting) -> None:
    folder = root / corpus.name
    wanted = scoring_recipe(corpus, encoder, emobank.digest())
    if folder.is_dir() and wanted.items() <= read_card(folder)["recipe"].items():
        return
    with counting("texts of EmoBank", len(emobank.texts), 0, "errors") as told:
        regression = VADRegression.fit(encoder, emobank, progress=lambda done: told.ended(done, 0))
    with counting(f"texts of {corpus.name}", len(list(corpus.utterances())), 0, "errors") as told:
        descriptions = read_descriptions(DEFAULT_DESCRIPTIONS)
        labels = label_corpus(corpus, regression, descriptions, lambda done: told.ended(done, 0))
    write_labels(root, corpus.name, labels)
    quality = ", ".join(f"{dimension} {scores['pearson']:.3f}" for dimension, scores in regression.quality.items())
    _log.info("VAD regression on EmoBank's test split, Pearson: %s", quality)
