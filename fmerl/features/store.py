"""The feature store: one vector per utterance and modality, in Parquet parts with a card.

Shapes: U utterances, n of a part, D width of the modality.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.card import CARD, read_card, replaced_folder, write_card
from fmerl.errors import InputError
from fmerl.features.parts import MAKE_AGAIN, ContentDigest, check_rows, read_parts, write_part
from fmerl.features.table_names import table_name

ROWS_PER_PART = 4096


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """One modality of a corpus.

    Raises:
        InputError: A repeated id, a value that is not finite, or a missing row that is not all zero.
        ValueError: Arrays of other shapes or types.
    """

    modality: str
    utterance_ids: tuple[str, ...]
    """Unique ids, [U]."""
    values: NDArray[np.float32]
    """Features, [U, D]."""
    missing: NDArray[np.bool_]
    """Utterances without this modality, whose row is zero, [U]."""
    card: dict[str, Any]
    """`recipe` and free fields; `content_digest` is filled in where absent."""

    def __post_init__(self) -> None:
        rows = len(self.utterance_ids)
        if self.values.ndim != 2 or len(self.values) != rows or self.missing.shape != (rows,):
            raise ValueError(f"{rows} ids, values {self.values.shape} and missing {self.missing.shape} do not fit")
        if self.values.dtype != np.float32 or self.missing.dtype != np.bool_:
            raise ValueError(f"values must be float32, not {self.values.dtype}; missing bool, not {self.missing.dtype}")
        check_rows(self.modality, self.utterance_ids, self.values, self.missing)
        if "content_digest" not in self.card:
            digest = ContentDigest()
            digest.add(self.utterance_ids, self.values, self.missing)
            object.__setattr__(self, "card", {**self.card, "content_digest": digest.hexdigest()})


class FeatureWriter:
    """Takes the rows of a table in pieces; `feature_writer` makes one."""

    def __init__(self, folder: Path, modality: str, card: Mapping[str, Any]) -> None:
        self._modality = modality
        self.folder = folder
        """Folder in which the table grows; other files put there stay beside it."""
        self.card = dict(card)
        """Card, written at the end with the table's digest."""
        self._parts, self._digest = 0, ContentDigest()

    def append(self, ids: Sequence[str], values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
        """Write one part: n ids, values [n, D], missing [n].

        Raises:
            InputError: A row that a table must not have, or an id that was given before.
        """
        check_rows(self._modality, ids, values, missing)
        write_part(self.folder, self._parts, ids, values, missing)
        self._digest.add(ids, values, missing)
        self._parts += 1

    def close(self) -> None:
        """Write the card."""
        write_card(self.folder, {**self.card, "kind": "features", "content_digest": self._digest.hexdigest()})


@contextmanager
def feature_writer(root: str | Path, corpus_name: str, table: str, card: Mapping[str, Any]) -> Iterator[FeatureWriter]:
    """Write `<root>/<corpus_name>/<table>/` part by part; a reader meets the whole old table or the whole new one.

    Args:
        root: Folder of all corpora.
        corpus_name: Name of this corpus.
        table: Its modality, or another `table_name`.
        card: `recipe` and free fields.

    Raises:
        InputError: Something that is no feature table is in the way.
        KeyError: The card has no recipe.
    """
    with replaced_folder(Path(root) / corpus_name / table) as folder:
        writer = FeatureWriter(folder, table, card)
        yield writer
        writer.close()


def write_features(root: str | Path, corpus_name: str, table: FeatureTable, rows_per_part: int = ROWS_PER_PART) -> None:
    """Write a whole table at once; see `feature_writer`."""
    with feature_writer(root, corpus_name, table.modality, table.card) as writer:
        for start in range(0, max(len(table.utterance_ids), 1), rows_per_part):
            rows = slice(start, start + rows_per_part)
            writer.append(table.utterance_ids[rows], table.values[rows], table.missing[rows])


def features_current(root: str | Path, corpus_name: str, modality: str, recipe_digest: str) -> bool:
    """True if the table is there and was made by this recipe, so that making it again changes nothing.

    Raises:
        InputError: The table's folder is there without a valid card.
    """
    folder = Path(root) / corpus_name / modality
    return folder.is_dir() and read_card(folder)["recipe_digest"] == recipe_digest


def read_features(
    root: str | Path, corpus_name: str, modality: str, utterance_ids: Sequence[str], name: str = ""
) -> FeatureTable:
    """Read the rows of `utterance_ids`, joined by id and in that order; the table may hold more.

    Args:
        root: Folder of all corpora.
        corpus_name: Name of this corpus.
        modality: Modality of the table.
        utterance_ids: Ids of U utterances.
        name: Name of a table beside the modality's unnamed one.

    Raises:
        InputError: No such table or card, a bad column or row, content that differs from the card's digest, or
            utterances without a row.
    """
    folder = Path(root) / corpus_name / table_name(modality, name)
    if not folder.is_dir():
        at_hand = sorted(card.parent.name for card in folder.parent.glob(f"[!.]*/{CARD}"))
        raise InputError(
            folder,
            f"no such feature table (at hand: {', '.join(at_hand) or 'none'})",
            "make it with fmerl extract or fmerl import-features",
        )
    card = read_card(folder)
    ids, values, missing = read_parts(folder)
    stored = FeatureTable(modality, tuple(ids), values, missing, {})
    if stored.card["content_digest"] != card["content_digest"]:
        raise InputError(folder, "the content is not what the card's content_digest was taken of", MAKE_AGAIN)
    row_of = {utterance_id: row for row, utterance_id in enumerate(ids)}
    absent = [utterance_id for utterance_id in utterance_ids if utterance_id not in row_of]
    if absent:
        what = f"{len(absent)} of {len(utterance_ids)} utterances have no row, the first is {absent[0]}"
        raise InputError(folder, what, "make the table from the corpus as it is now")
    rows = [row_of[utterance_id] for utterance_id in utterance_ids]
    return FeatureTable(modality, tuple(utterance_ids), values[rows], missing[rows], card)
