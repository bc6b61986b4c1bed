"""Joins a corpus with its feature tables and its scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import SPLITS, Corpus, Dialogue
from fmerl.errors import InputError
from fmerl.features.store import FeatureTable
from fmerl.supervision.labels import LabelSet
from fmerl.training.dataset import CONTEXT_ONLY, ConversationData


def assemble(corpus: Corpus, features: Sequence[FeatureTable], labels: LabelSet | None = None) -> ConversationData:
    """Join a corpus with its feature tables and, in place of its own VAD scores, a label set.

    Args:
        corpus: Read by `fmerl.corpus`.
        features: One table per modality, rows in the order of `corpus.utterances()`.
        labels: Scores for the same utterances; None takes the corpus's own.

    Raises:
        InputError: A table whose rows are not the corpus's utterances, or no score at all for a dimension in train.
    """
    in_order = list(corpus.utterances())
    ids = tuple(utterance.utterance_id for utterance in in_order)
    for table in features:
        if table.utterance_ids != ids:
            raise InputError(table.modality, f"rows are not the utterances of {corpus.name}", "read it with their ids")
    row_of = {utterance_id: row for row, utterance_id in enumerate(ids)}

    dialogues: list[Dialogue] = sorted(corpus.dialogues, key=lambda dialogue: SPLITS.index(dialogue.split))
    utterances = [utterance for dialogue in dialogues for utterance in dialogue.utterances]
    order = np.array([row_of[utterance.utterance_id] for utterance in utterances])
    lengths = [len(dialogue.utterances) for dialogue in dialogues]
    class_index = {name: index for index, name in enumerate(corpus.classes)}
    corpus_digest = corpus.digest()
    if labels is None:
        own = [[getattr(utterance, dimension) for dimension in DIMENSIONS] for utterance in utterances]
        vad, vad_range, vad_digest = np.array(own, dtype=np.float32), corpus.vad_range, corpus_digest
    else:
        vad, vad_range, vad_digest = labels.vad[order], labels.vad_range, labels.card["content_digest"]
    train = np.repeat([dialogue.split == "train" for dialogue in dialogues], lengths)
    for column, dimension in enumerate(DIMENSIONS):
        if np.isnan(vad[train, column]).all():
            where = f"corpus {corpus.name}" if labels is None else f"label set of {corpus.name}"
            raise InputError(where, f"no {dimension} score in train", "add the column, or give a label set (--labels)")
    return ConversationData(
        corpus=corpus.name,
        classes=corpus.classes,
        vad_range=vad_range,
        n_speakers=max(max(dialogue.speaker_indices()) + 1 for dialogue in dialogues if dialogue.split == "train"),
        utterance_id=np.array([utterance.utterance_id for utterance in utterances]),
        dialogue_id=np.array([utterance.dialogue_id for utterance in utterances]),
        turn=np.array([utterance.turn for utterance in utterances]),
        speaker_name=np.array([utterance.speaker for utterance in utterances]),
        speaker=np.array([index for dialogue in dialogues for index in dialogue.speaker_indices()]),
        label=np.array(
            [CONTEXT_ONLY if item.emotion is None else class_index[item.emotion] for item in utterances], dtype=np.int64
        ),
        vad=vad,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        split=np.array([SPLITS.index(dialogue.split) for dialogue in dialogues], dtype=np.int8),
        features={table.modality: table.values[order] for table in features},
        missing={table.modality: table.missing[order] for table in features},
        digests={
            "corpus": corpus_digest,
            "vad": vad_digest,
            **{f"features.{table.modality}": table.card["content_digest"] for table in features},
        },
    )
