"""The two feature pickles that papers on emotion recognition in conversation pass around, as SDT reads them.

SDT (Ma et al. 2023, repository butterfliesss/SDT, `dataloader.py`) takes tuples of dicts from dialogue id to a list
with one entry per utterance, then the dialogue ids of train and test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fmerl.corpus.dialogue import PAPER_VAD_RANGE
from fmerl.corpus.readers import meld
from fmerl.corpus.readers.iemocap import ids as iemocap_ids

PER_UTTERANCE = (
    "videoIDs",
    "videoSpeakers",
    "videoLabels",
    "videoText",
    "roberta2",
    "roberta3",
    "roberta4",
    "videoAudio",
    "videoVisual",
    "videoSentence",
)
"""Names of the dicts, in the order of the tuple."""

SPLIT_LISTS = ("trainVid", "testVid")

TEXT_VECTORS: Mapping[str, tuple[str, ...]] = {
    "roberta1": ("videoText",),
    "roberta2": ("roberta2",),
    "roberta3": ("roberta3",),
    "roberta4": ("roberta4",),
    "mean": ("videoText", "roberta2", "roberta3", "roberta4"),
}
"""Choice of text feature to the items it averages; `roberta1` is the last layer, and all that SDT uses."""

_FINE_TUNED_TEXT = (
    "trained on this corpus's emotion labels: <s> of RoBERTa-large, fine-tuned to classify the training utterances; "
    "found in COSMIC's scripts (declare-lab/conv-emotion, COSMIC/feature-extraction: roberta_train_*.sh, then "
    "roberta_feature_extract_*.py from that checkpoint). Zero-shot results on it leak the unseen class"
)
_LABELLED_AUDIO = (
    "very probably trained on this corpus's emotion labels: the 300 values, which DialogueRNN's scripts for MELD read "
    "as well (declare-lab/conv-emotion, DialogueRNN/train_MELD.py), fit no openSMILE set and do fit the output of an "
    "audio-only bcLSTM trained on the labels; inferred, since their extraction is not published. Zero-shot results on "
    "it leak the unseen class"
)


@dataclass(frozen=True, kw_only=True)
class PublishedFormat:
    """One of the two pickles."""

    items: int
    """Length of the tuple."""
    corpus: str
    utterances: int
    """Published number of utterances."""
    classes: tuple[str, ...]
    """Classes in the order of the label indices."""
    vad_range: tuple[float, float]
    unseen_class: str
    widths: Mapping[str, int]
    """Published widths by modality."""
    supervised: Mapping[str, str]
    """Modalities whose features were made with the labels, and the evidence."""


IEMOCAP = PublishedFormat(
    items=12,
    corpus=iemocap_ids.NAME,
    utterances=7_433,
    classes=iemocap_ids.CLASSES,
    vad_range=iemocap_ids.VAD_RANGE,
    unseen_class=iemocap_ids.UNSEEN_CLASS,
    widths={"text": 1024, "audio": 1582, "visual": 342},
    supervised={"text": _FINE_TUNED_TEXT},
)

MELD = PublishedFormat(
    items=13,
    corpus=meld.NAME,
    utterances=13_708,
    classes=meld.CLASSES,
    vad_range=PAPER_VAD_RANGE,
    unseen_class=meld.UNSEEN_CLASS,
    widths={"text": 1024, "audio": 300, "visual": 342},
    supervised={"text": _FINE_TUNED_TEXT, "audio": _LABELLED_AUDIO},
)
"""MELD's pickle; its last item is redundant and ignored."""

FORMATS = {published.items: published for published in (IEMOCAP, MELD)}
"""Formats by number of items."""
