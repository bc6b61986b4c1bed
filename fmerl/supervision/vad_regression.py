"""VAD scores without a language model: ridge regression on frozen text features, fitted to EmoBank.

EmoBank (Buechel and Hahn, EACL 2017) holds 10,062 sentences with human valence, arousal and dominance from 1 to 5.
Shapes: n texts, E width of the encoder, 3 dimensions in the order valence, arousal, dominance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from fmerl.card import content_digest
from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import Corpus
from fmerl.corpus.tables import read_csv
from fmerl.errors import InputError
from fmerl.features.text.encoder import TextEncoder
from fmerl.supervision.agreement import concordance
from fmerl.supervision.labels import LabelSet

EMOBANK_RANGE = (1.0, 5.0)
ALPHAS = tuple(10.0**exponent for exponent in range(-3, 5))
"""Ridge penalties to choose from."""

_SPLITS = ("train", "dev", "test")
_COLUMNS = ("V", "A", "D")


@dataclass(frozen=True, eq=False)
class EmoBank:
    """Sentences with scores, [n]."""

    texts: tuple[str, ...]
    vad: NDArray[np.float32]
    """Scores from 1 to 5, [n, 3]."""
    splits: NDArray[np.str_]
    """Splits: train, dev or test, [n]."""

    def digest(self) -> str:
        """SHA-256 of all fields."""
        return content_digest([self.texts, self.splits.tolist()], self.vad)


def read_emobank(path: str | Path) -> EmoBank:
    """Read EmoBank's `emobank.csv`: id, split, V, A, D, text.

    Raises:
        InputError: No such CSV file, a missing column, an unknown split, a score out of range, an empty text, or a
            split without a row.
    """
    rows = read_csv(Path(path), ("id", "split", *_COLUMNS, "text"))
    low, high = EMOBANK_RANGE
    vad = np.empty((len(rows), 3), dtype=np.float32)
    for index, row in enumerate(rows):
        if row["split"] not in _SPLITS:
            raise row.error(f"unknown split {row['split']!r}", f"use one of {', '.join(_SPLITS)}")
        if not row["text"].strip():
            raise row.error("the text is empty", "fill it in, or drop the row")
        for place, column in enumerate(_COLUMNS):
            try:
                vad[index, place] = float(row[column])
            except ValueError:
                vad[index, place] = np.nan
            if not low <= vad[index, place] <= high:
                raise row.error(f"{column} {row[column]!r} is not a number from {low:g} to {high:g}", "mend the score")
    splits = np.array([row["split"] for row in rows])
    absent = [split for split in _SPLITS if split not in splits]
    if absent:
        raise InputError(path, f"no row in split {', '.join(absent)}", "give EmoBank's own three splits")
    return EmoBank(tuple(row["text"] for row in rows), vad, splits)


@dataclass(frozen=True, eq=False)
class VADRegression:
    """A fitted regression from text to valence, arousal and dominance."""

    encoder: TextEncoder
    ridge: Ridge
    """Regression from [E] to [3], with one penalty per dimension."""
    quality: dict[str, dict[str, float]]
    """`pearson` and `ccc` on EmoBank's test split, by dimension."""
    emobank_digest: str

    @classmethod
    def fit(
        cls,
        encoder: TextEncoder,
        emobank: EmoBank,
        alphas: Sequence[float] = ALPHAS,
        progress: Callable[[int], None] | None = None,
    ) -> VADRegression:
        """Fit to EmoBank's train split; each dimension's penalty has the least squared error on its dev split.

        Args:
            encoder: Mean pooling serves regression better than the first token.
            emobank: Sentences and scores; the test split is used for `quality` only.
            alphas: Penalties to choose from.
            progress: See `TextEncoder.encode`.
        """
        features = encoder.encode(emobank.texts, progress).astype(np.float64)
        train, dev, test = (emobank.splits == split for split in _SPLITS)
        ridges = [Ridge(alpha).fit(features[train], emobank.vad[train]) for alpha in alphas]
        errors = [((ridge.predict(features[dev]) - emobank.vad[dev]) ** 2).mean(axis=0) for ridge in ridges]
        best = np.array(alphas)[np.argmin(errors, axis=0)]
        ridge = Ridge(best).fit(features[train], emobank.vad[train])
        predicted = _scores(ridge, features[test])
        quality = {
            dimension: {
                "pearson": float(np.corrcoef(predicted[:, column], emobank.vad[test, column])[0, 1]),
                "ccc": concordance(predicted[:, column], emobank.vad[test, column]),
            }
            for column, dimension in enumerate(DIMENSIONS)
        }
        return cls(encoder, ridge, quality, emobank.digest())

    def predict(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """Scores from 1 to 5, [n, 3]."""
        return _scores(self.ridge, self.encoder.encode(texts, progress).astype(np.float64))


def scoring_recipe(corpus: Corpus, encoder: TextEncoder, emobank_digest: str) -> dict[str, Any]:
    """All that decides the scores of a corpus, known before anything is encoded."""
    texts = [[utterance.utterance_id, utterance.text] for utterance in corpus.utterances()]
    return {
        **encoder.recipe(),
        "source": content_digest(texts),
        "method": "ridge regression on frozen text features, fitted to EmoBank",
        "emobank": emobank_digest,
    }


def label_corpus(
    corpus: Corpus,
    regression: VADRegression,
    descriptions: Mapping[str, str],
    progress: Callable[[int], None] | None = None,
) -> LabelSet:
    """Score every utterance of a corpus from its text alone; an empty text gets an error instead."""
    utterances = list(corpus.utterances())
    spoken = np.array([bool(utterance.text.strip()) for utterance in utterances], dtype=np.bool_)
    vad = np.full((len(utterances), 3), np.nan, dtype=np.float32)
    vad[spoken] = regression.predict([item.text for item in utterances if item.text.strip()], progress)
    return LabelSet(
        utterance_ids=tuple(utterance.utterance_id for utterance in utterances),
        vad=vad,
        errors=tuple(None if has_text else "the text is empty" for has_text in spoken),
        vad_range=EMOBANK_RANGE,
        descriptions=dict(descriptions),
        card={
            "recipe": {
                **scoring_recipe(corpus, regression.encoder, regression.emobank_digest),
                "alphas": dict(zip(DIMENSIONS, regression.ridge.alpha.tolist(), strict=True)),
            },
            "quality": regression.quality,
            "supervised_on_labels": False,
        },
    )


def _scores(ridge: Ridge, features: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.clip(ridge.predict(features), *EMOBANK_RANGE).astype(np.float32)
