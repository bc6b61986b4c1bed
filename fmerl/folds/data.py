"""A fold of a corpus's data: the same utterances in other splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fmerl.card import recipe_digest
from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import SPLITS
from fmerl.errors import InputError
from fmerl.folds.splits import Fold
from fmerl.training.dataset import CONTEXT_ONLY, ConversationData

_BY_ROW = ("utterance_id", "dialogue_id", "turn", "speaker_name", "speaker", "label", "vad")


def fold_data(data: ConversationData, fold: Fold) -> ConversationData:
    """The data in a fold's splits. All that a cell fits, it fits on train; the number of speakers is train's too."""
    split = _splits(data, fold)
    order = np.argsort(split, kind="stable")
    lengths = np.diff(data.offsets)
    rows = np.argsort(np.repeat(split, lengths), kind="stable")
    part = np.repeat(split, lengths)[rows]
    label = data.label[rows]
    if fold.speaker is not None:
        of_others = (part == SPLITS.index("test")) & (data.speaker_name[rows] != fold.speaker)
        label = np.where(of_others, CONTEXT_ONLY, label)
    moved = replace(
        data,
        **{name: getattr(data, name)[rows] for name in _BY_ROW},
        offsets=np.concatenate([[0], np.cumsum(lengths[order])]).astype(np.int64),
        split=split[order],
        features={modality: values[rows] for modality, values in data.features.items()},
        missing={modality: values[rows] for modality, values in data.missing.items()},
    )
    train = part == SPLITS.index("train")
    return replace(
        moved, label=label, n_speakers=int(moved.speaker[train].max()) + 1, digests=fold_digests(data.digests, fold)
    )


def fold_digests(digests: Mapping[str, str], fold: Fold) -> dict[str, str]:
    """Content hashes of a fold's data: the corpus counts with its splits."""
    return {**digests, "corpus": recipe_digest({"corpus": digests["corpus"], "fold": fold.digest()})}


def check_folds(data: ConversationData, folds: Sequence[Fold]) -> None:
    """Refuse a fold whose train has no score of a dimension, as a corpus's own splits are refused."""
    lengths = np.diff(data.offsets)
    for fold in folds:
        train = np.repeat(_splits(data, fold) == SPLITS.index("train"), lengths)
        for column, dimension in enumerate(DIMENSIONS):
            if np.isnan(data.vad[train, column]).all():
                where = f"fold {fold.name} of {data.corpus}"
                raise InputError(where, f"no {dimension} score in train", "give a label set (--labels), or other folds")


def _splits(data: ConversationData, fold: Fold) -> np.ndarray:
    """Index into SPLITS of each dialogue, [G]."""
    names = data.dialogue_id[data.offsets[:-1]].tolist()
    return np.array([SPLITS.index(fold.split[name]) for name in names], dtype=np.int8)
