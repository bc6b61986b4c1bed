"""Training data of a cell: a corpus, its features and its scores as flat arrays.

Shapes: U utterances, G dialogues, D_m width of modality m.
Rows are sorted by split, then dialogue, then turn, so that a split is a slice and never a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fmerl.corpus.dialogue import SPLITS, Split

CONTEXT_ONLY = -1
"""Label of an utterance without a target."""


@dataclass(frozen=True, kw_only=True)
class ConversationData:
    """A corpus as arrays of plain dtypes, which pickle out of band: Ray shares them between all processes of a node."""

    corpus: str
    classes: tuple[str, ...]
    vad_range: tuple[float, float]
    n_speakers: int
    """Most speakers in one training dialogue; later speakers of a longer cast share one null embedding."""
    utterance_id: NDArray[np.str_]
    dialogue_id: NDArray[np.str_]
    turn: NDArray[np.int64]
    speaker_name: NDArray[np.str_]
    speaker: NDArray[np.int64]
    """Speaker index by first appearance in the dialogue, [U]."""
    label: NDArray[np.int64]
    """Class index or `CONTEXT_ONLY`, [U]."""
    vad: NDArray[np.float32]
    """Scores in `vad_range`, NaN where there is none, [U, 3]."""
    offsets: NDArray[np.int64]
    """Rows of dialogue g are offsets[g]:offsets[g + 1], [G + 1]."""
    split: NDArray[np.int8]
    """Index into SPLITS, [G]."""
    features: Mapping[str, NDArray[np.float32]]
    """Features by modality, [U, D_m], and knowledge where there is any."""
    missing: Mapping[str, NDArray[np.bool_]]
    """Missing flags by modality, [U]; a missing row is all zeros."""
    digests: Mapping[str, str]
    """Content hashes of the corpus, its feature tables and its scores."""

    def widths(self, tables: Sequence[str]) -> dict[str, int]:
        """Width of each feature table asked for."""
        return {table: self.features[table].shape[1] for table in tables}

    def subset(self, *splits: Split) -> ConversationData:
        """The dialogues of some splits, as views; splits must be neighbours in SPLITS."""
        wanted = sorted(SPLITS.index(split) for split in splits)
        absent = [split for split in splits if SPLITS.index(split) not in self.split]
        if absent:
            raise ValueError(f"{self.corpus} has no dialogue in {', '.join(absent)}")
        inside = np.flatnonzero(np.isin(self.split, wanted))
        first, last = int(inside[0]), int(inside[-1]) + 1
        if last - first != len(inside):
            raise ValueError(f"splits {splits} are not neighbours")
        rows = slice(int(self.offsets[first]), int(self.offsets[last]))
        return self._take(rows, self.offsets[first : last + 1] - self.offsets[first], self.split[first:last])

    def without_classes(self, classes: Sequence[str], how: Literal["context", "deleted"]) -> ConversationData:
        """Zero-shot: no label or score of these classes remains; their utterances stay as context or go."""
        unseen = np.isin(self.label, [self.classes.index(name) for name in classes])
        if not unseen.any():
            return self
        if how == "context":
            vad = np.where(unseen[:, None], np.float32(np.nan), self.vad)
            return replace(self, label=np.where(unseen, CONTEXT_ONLY, self.label), vad=vad)
        kept = np.add.reduceat(~unseen, self.offsets[:-1]).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(kept[kept > 0])]).astype(np.int64)
        return self._take(np.flatnonzero(~unseen), offsets, self.split[kept > 0])

    def _take(
        self, rows: slice | NDArray[np.int64], offsets: NDArray[np.int64], split: NDArray[np.int8]
    ) -> ConversationData:
        by_row = ("utterance_id", "dialogue_id", "turn", "speaker_name", "speaker", "label", "vad")
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in by_row},
            offsets=offsets,
            split=split,
            features={modality: values[rows] for modality, values in self.features.items()},
            missing={modality: values[rows] for modality, values in self.missing.items()},
        )
