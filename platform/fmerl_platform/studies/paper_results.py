"""Numbers of the FMERL paper, to print beside our own.

Source: "Fine-grained Multidimensional Emotion Representation Learning" (anonymous ACL submission): Table 1, the
comparison of systems, Table 2, zero-shot recognition, and Table 3, the ablation: means of five runs, in percent. It
prints neither deviations nor intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedScore:
    """A row of a table of the paper on one corpus, in percent."""

    accuracy: float | None
    """Accuracy; None where the paper prints a dash."""
    weighted_f1: float


TABLE_1: dict[str, dict[str, PublishedScore]] = {
    "iemocap": {
        "CoMPM": PublishedScore(None, 66.33),
        "SDT": PublishedScore(73.95, 74.08),
        "MultiEMO": PublishedScore(None, 72.84),
        "MPLP": PublishedScore(None, 66.65),
        "SACL-LSTM": PublishedScore(69.08, 69.22),
        "CKCL": PublishedScore(None, 67.16),
        "Beyond Linguistic Cues": PublishedScore(None, 68.22),
        "CLED": PublishedScore(None, 62.77),
    },
    "meld": {
        "CoMPM": PublishedScore(None, 66.52),
        "SDT": PublishedScore(67.55, 66.60),
        "MultiEMO": PublishedScore(None, 66.74),
        "MPLP": PublishedScore(None, 66.51),
        "SACL-LSTM": PublishedScore(67.51, 66.45),
        "CKCL": PublishedScore(None, 66.21),
        "Beyond Linguistic Cues": PublishedScore(None, 64.27),
        "CLED": PublishedScore(None, 66.24),
    },
}
"""Corpus name to system to score; FMERL's own is the control of Table 3."""

NOT_RUN: dict[str, str] = {
    "CoMPM": "fine-tunes a language model on raw text (fmerl finetune-text --system compm)",
    "MPLP": "fine-tunes a language model on raw text (fmerl finetune-text --system mplp)",
    "CLED": "fine-tunes a language model on raw text (fmerl finetune-text --system cled)",
}
"""Systems of Table 1 shown as published only, and why: every system here reads the same frozen features."""

COUNTERPARTS: dict[str, str] = {
    "CKCL (LLM knowledge)": "CKCL",
    "belief-desire graph (ours, after Xu et al.)": "Beyond Linguistic Cues",
}
"""Rows of Table 1 that stand beside systems of ours which differ from them, as their names tell."""

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
    """The paper's score of a variant or a system; None unless the corpus is exactly `iemocap` or `meld`."""
    return {**TABLE_1.get(corpus, {}), **TABLE_3.get(corpus, {})}.get(COUNTERPARTS.get(variant, variant))


@dataclass(frozen=True)
class PublishedZeroShot:
    """A row of Table 2 on one corpus, in percent."""

    unseen_accuracy: float
    unseen_weighted_f1: float
    """Weighted F1 on the unseen class's utterances alone: 2r / (1 + r) of their accuracy r."""
    accuracy: float
    weighted_f1: float
    parameters: float
    """Parameters in millions."""


TABLE_2: dict[str, dict[str, PublishedZeroShot]] = {
    "iemocap": {
        "Qwen-7B": PublishedZeroShot(13.14, 23.22, 33.42, 30.67, 7720),
        "Llama2-7B": PublishedZeroShot(11.71, 20.97, 32.00, 29.60, 6740),
        "Llama3.2-3B": PublishedZeroShot(6.04, 11.40, 32.98, 28.43, 3210),
        "FMERL": PublishedZeroShot(36.81, 27.32, 58.38, 57.30, 83),
    },
    "meld": {
        "Qwen-7B": PublishedZeroShot(3.60, 6.96, 32.38, 28.46, 7720),
        "Llama2-7B": PublishedZeroShot(3.28, 6.35, 33.98, 35.19, 6740),
        "Llama3.2-3B": PublishedZeroShot(1.56, 3.08, 42.11, 45.55, 3210),
        "FMERL": PublishedZeroShot(11.86, 21.21, 61.38, 60.30, 83),
    },
}
"""Corpus name to system to row. Language models were shown examples of seen classes and none of the unseen one."""

_UNSEEN_IN_TABLE_2 = {"iemocap": {"happy", "hap", "happiness"}, "meld": {"fear"}}
"""Names by which a corpus may call the class that the paper holds out."""


def published_zero_shot(corpus: str, unseen: Sequence[str]) -> dict[str, PublishedZeroShot]:
    """Table 2's rows of a corpus; none unless it is exactly `iemocap` or `meld` and holds out what the paper does."""
    same = len(unseen) == 1 and unseen[0] in _UNSEEN_IN_TABLE_2.get(corpus, ())
    return TABLE_2[corpus] if same else {}
