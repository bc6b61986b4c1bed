"""Preparation of MELD's raw CSVs for a grid: corpus folder, text features, VAD scores. Each step is made once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fmerl.card import read_card, recipe_digest
from fmerl.corpus import Corpus, write_corpus
from fmerl.features.encoder import EncoderSpec
from fmerl.features.text.encoder import Pooling, TextEncoder
from fmerl.features.text.utterances import TextSpec
from fmerl.finetuning.features import TunedTextSpec, tuned_spec
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.supervision.labels import write_labels
from fmerl.supervision.vad_regression import VADRegression, label_corpus, read_emobank, scoring_recipe
from fmerl_platform.extraction.run import ExtractionRequest, extract
from fmerl_platform.importing.releases import read_meld_release
from fmerl_platform.running.progress import Counting, uncounted

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Folders a grid takes as `--corpus`, `--features` and `--labels`."""

    corpus: Path
    features: Path
    labels: Path


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


def prepare_meld_text(source: MeldText, storage: Path, counting: Counting = uncounted) -> Prepared:
    """Convert MELD, encode its utterances, and score them with a ridge regression trained on EmoBank.

    Args:
        source: MELD's text.
        storage: Everything is written to `prepared/` below it.
        counting: Shows progress.
    """
    home = storage / "prepared" / source.digest()
    prepared = Prepared(corpus=home / "corpus", features=home / "features", labels=home / "labels")
    corpus, problems = read_meld_release(source.meld)
    for problem in problems:
        if problem.on_screen:
            _log.warning("%s: %s", problem.what, problem.action)
    write_corpus(corpus, prepared.corpus, problems)
    _log.info("%d odd rows of MELD are listed in %s", len(problems), prepared.corpus / "problems.csv")
    request = ExtractionRequest(
        corpus=prepared.corpus, features=prepared.features, specs=[source.spec()], storage=storage
    )
    extract(request, counting)
    _score(corpus, source.scorer(), source.emobank, prepared.labels, counting)
    return prepared


def _score(corpus: Corpus, encoder: TextEncoder, emobank_file: Path, root: Path, counting: Counting) -> None:
    emobank = read_emobank(emobank_file)
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
