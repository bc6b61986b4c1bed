"""From MELD's raw CSVs to what a grid reads: corpus folder, text features, VAD scores. Each step is made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from fmerl.card import read_card, recipe_digest
from fmerl.corpus import Corpus, write_corpus
from fmerl.corpus.readers import read_meld
from fmerl.features.text.encoder import Pooling, TextEncoder
from fmerl.features.text.utterances import TextSpec
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.supervision.labels import write_labels
from fmerl.supervision.vad_regression import VADRegression, label_corpus, read_emobank, scoring_recipe
from fmerl_platform.extraction.run import ExtractionRequest, extract


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Folders a grid takes as `--corpus`, `--features` and `--labels`."""

    corpus: Path
    features: Path
    labels: Path


def prepare_meld_text(
    meld: Path, emobank: Path, encoder_name: str, pooling: Pooling, storage: Path, console: Console
) -> Prepared:
    """Convert MELD, encode its utterances, and score them with a ridge regression trained on EmoBank.

    Args:
        meld: Folder of MELD's three `*_sent_emo.csv`.
        emobank: EmoBank's `emobank.csv`.
        encoder_name: Hugging Face id, local folder or `package:MODULE`.
        pooling: `mean` or `cls`.
        storage: Everything is written to `prepared/` below it.
        console: For progress.
    """
    home = storage / "prepared" / recipe_digest({"encoder": encoder_name, "pooling": pooling})[:12]
    prepared = Prepared(corpus=home / "corpus", features=home / "features", labels=home / "labels")
    corpus, problems = read_meld(meld)
    write_corpus(corpus, prepared.corpus, problems)
    console.print(f"{len(problems)} odd rows of MELD are listed in {prepared.corpus / 'problems.csv'}", soft_wrap=True)
    spec = TextSpec(encoder=encoder_name, pooling=pooling)
    request = ExtractionRequest(corpus=prepared.corpus, features=prepared.features, specs=[spec], storage=storage)
    extract(request, console)
    _score(corpus, TextEncoder(encoder_name, pooling=pooling), emobank, prepared.labels, console)
    return prepared


def _score(corpus: Corpus, encoder: TextEncoder, emobank_file: Path, root: Path, console: Console) -> None:
    emobank = read_emobank(emobank_file)
    folder = root / corpus.name
    wanted = scoring_recipe(corpus, encoder, emobank.digest())
    if folder.is_dir() and wanted.items() <= read_card(folder)["recipe"].items():
        return
    with _counted("encode EmoBank", len(emobank.texts), console) as progress:
        regression = VADRegression.fit(encoder, emobank, progress=progress)
    with _counted(f"score {corpus.name}", len(list(corpus.utterances())), console) as progress:
        labels = label_corpus(corpus, regression, read_descriptions(DEFAULT_DESCRIPTIONS), progress)
    write_labels(root, corpus.name, labels)
    quality = ", ".join(f"{dimension} {scores['pearson']:.3f}" for dimension, scores in regression.quality.items())
    console.print(f"VAD regression on EmoBank's test split, Pearson: {quality}", highlight=False)


@contextmanager
def _counted(what: str, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """A progress bar over texts."""
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)
