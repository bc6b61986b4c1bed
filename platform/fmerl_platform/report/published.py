"""What the FMERL paper reports, to print beside our own numbers.

Source: "Fine-grained Multidimensional Emotion Representation Learning" (anonymous ACL submission), Table 3,
the ablation study: means of five runs, in percent. The paper prints neither deviations nor intervals.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedScore:
    """A row of the paper's Table 3 on one corpus, in percent."""

    accuracy: float
    weighted_f1: float


TABLE_3: dict[str, dict[str, PublishedScore]] = {
    "iemocap": {
        "FMERL": PublishedScore(74.92, 75.14),
        "w/o Triple-loss": PublishedScore(74.68, 74.91),
        "w/o Fine-grained Enhancement": PublishedScore(74.18, 74.37),
        "w/o Dominance": PublishedScore(74.86, 74.96),
        "w/o Arousal": PublishedScore(73.44, 73.68),
        "w/o Valence": PublishedScore(74.31, 74.38),
        "w/o Multitask Regression": PublishedScore(72.46, 72.75),
    },
    "meld": {
        "FMERL": PublishedScore(67.66, 66.78),
        "w/o Triple-loss": PublishedScore(67.20, 65.96),
        "w/o Fine-grained Enhancement": PublishedScore(66.74, 65.11),
        "w/o Dominance": PublishedScore(67.24, 66.16),
        "w/o Arousal": PublishedScore(67.51, 66.37),
        "w/o Valence": PublishedScore(67.43, 66.41),
        "w/o Multitask Regression": PublishedScore(67.09, 65.87),
    },
}
"""Corpus name to variant to score. Other corpora, synthetic ones among them, have no published counterpart."""


def published_score(corpus: str, variant: str) -> PublishedScore | None:
    """The paper's score of a variant; None unless the corpus is exactly `iemocap` or `meld`."""
    return TABLE_3.get(corpus, {}).get(variant)
