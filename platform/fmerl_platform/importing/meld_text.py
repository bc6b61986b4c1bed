"""Preparation of MELD's raw CSVs for a grid: corpus folder, text features, VAD scores. Each step is made once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from fmerl.card import read_card, recipe_digest
from fmerl.corpus import Corpus, write_corpus
from fmerl.features.text.encoder import Pooling, TextEncoder
from fmerl.features.text.utterances import TextSpec
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


def prepare_meld_text(
    meld: Path, emobank: Path, encoder_name: str, pooling: Pooling, storage: Path, counting: Counting = uncounted
) -> Prepared:
    """Convert MELD, encode its utterances, and score them with a ridge regression trained on EmoBank.

    Args:
        meld: Folder of MELD's three `*_sent_emo.csv`.
        emobank: EmoBank's `emobank.csv`.
        encoder_name: Hugging Face id, local folder or `package:MODULE`.
        pooling: `mean` or `cls`.
        storage: Everything is written to `prepared/` below it.
        counting: Shows progress.
    """
    home = storage / "prepared" / recipe_digest({"encoder": encoder_name, "pooling": pooling})[:12]
    prepared = Prepared(corpus=home / "corpus", features=home / "features", labels=home / "labels")
    corpus, problems = read_meld_release(meld)
    for problem in problems:
        if problem.on_screen:
            _log.warning("%s: %s", problem.what, problem.action)
    write_corpus(corpus, prepared.corpus, problems)
    _log.info("%d odd rows of MELD are listed in %s", len(problems), prepared.corpus / "problems.csv")
    spec = TextSpec(encoder=encoder_name, pooling=pooling)
    request = ExtractionRequest(corpus=prepared.corpus, features=prepared.features, specs=[spec], storage=storage)
    extract(request, counting)
    _score(corpus, TextEncoder(encoder_name, pooling=pooling), emobank, prepared.labels, counting)
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
