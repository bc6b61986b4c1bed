"""Label sets: VAD scores of a corpus's utterances and descriptions of its classes, with a card (Section 4).

Shapes: U utterances, 3 dimensions in the order valence, arousal, dominance.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fmerl.card import CARD, content_digest, read_card, replaced_folder, write_card
from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import Corpus
from fmerl.corpus.parquet_tables import read_parquet
from fmerl.corpus.tables import Row
from fmerl.errors import InputError
from fmerl.supervision.descriptions import check_described, read_descriptions

_MAKE_AGAIN = "make the label set again"

_Label = tuple[tuple[float, ...], str | None]
_NO_SCORES = (math.nan,) * 3


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Scores and descriptions of one corpus.

    Raises:
        InputError: A repeated id, a score out of range, or a row with both or neither of scores and error.
        ValueError: Arrays of other shapes or types.
    """

    utterance_ids: tuple[str, ...]
    """Unique ids, [U]."""
    vad: NDArray[np.float32]
    """Scores in `vad_range`; a row with an error is all NaN, [U, 3]."""
    errors: tuple[str | None, ...]
    """Reasons for missing scores, None for a scored utterance, [U]."""
    vad_range: tuple[float, float]
    """Lowest and highest score."""
    descriptions: dict[str, str]
    """Emotion to description."""
    card: dict[str, Any]
    """`recipe` and free fields, of which `dimensions` names those that have scores if not all three do;
    `content_digest` is filled in where absent."""
    spread: NDArray[np.float32] | None = None
    """Standard deviation of each score over several answers, [U, 3]; written beside the scores, and not read again."""

    def __post_init__(self) -> None:
        rows = len(self.utterance_ids)
        if self.vad.shape != (rows, 3) or self.vad.dtype != np.float32 or len(self.errors) != rows:
            raise ValueError(f"{rows} ids, {self.vad.dtype} scores {self.vad.shape}, {len(self.errors)} errors")
        low, high = self.vad_range
        asked = np.isin(DIMENSIONS, self.card.get("dimensions", DIMENSIONS))
        scored = (((self.vad >= low) & (self.vad <= high)) == asked).all(axis=1)
        unscored = np.isnan(self.vad).all(axis=1)
        sound = np.where(self.labelled, scored, unscored)
        if not sound.all():
            row = int(np.argmin(sound))
            what = f"scores {self.vad[row].tolist()} with error {self.errors[row]!r}"
            remedy = f"give three scores from {low:g} to {high:g}, or an error and NaN"
            raise InputError(f"label of {self.utterance_ids[row]}", what, remedy)
        if len(set(self.utterance_ids)) < rows:
            raise InputError("label set", "an utterance_id stands there twice", "keep one of the rows")
        if "content_digest" not in self.card:
            object.__setattr__(self, "card", {**self.card, "content_digest": _digest(self)})

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Utterances that have scores, [U]."""
        return np.array([error is None for error in self.errors], dtype=np.bool_)


def write_labels(root: str | Path, corpus_name: str, labels: LabelSet) -> None:
    """Write `<root>/<corpus_name>/`; a reader meets the whole old label set or the whole new one.

    Raises:
        InputError: Something that is no label set is in the way.
        KeyError: The card has no recipe.
    """
    scores = {
        dimension: pa.array(labels.vad[:, column], mask=np.isnan(labels.vad[:, column]))
        for column, dimension in enumerate(DIMENSIONS)
    }
    spreads = {
        f"{dimension}_sd": pa.array(labels.spread[:, column], mask=np.isnan(labels.spread[:, column]))
        for column, dimension in enumerate(DIMENSIONS)
        if labels.spread is not None
    }
    ids, errors = pa.array(labels.utterance_ids, pa.string()), pa.array(labels.errors, pa.string())
    with replaced_folder(Path(root) / corpus_name) as folder:
        pq.write_table(pa.table({"utterance_id": ids, **scores, "error": errors, **spreads}), folder / "vad.parquet")
        descriptions = json.dumps(labels.descriptions, indent=2, ensure_ascii=False) + "\n"
        (folder / "descriptions.json").write_text(descriptions, encoding="utf-8")
        made = {"kind": "labels", "vad_range": list(labels.vad_range), "content_digest": _digest(labels)}
        write_card(folder, {**labels.card, **made})


def read_labels(
    root: str | Path, corpus_name: str, utterance_ids: Sequence[str], classes: Sequence[str] = ()
) -> LabelSet:
    """Read the labels of `utterance_ids`, joined by id and in that order; an utterance without a row gets an error.

    Args:
        root: Folder of label sets.
        corpus_name: Folder in it.
        utterance_ids: U ids.
        classes: Emotions that must have a description.

    Raises:
        InputError: No such label set or card, no range on the card, a dimension without scores, a bad column or row, a
            class without a description, or content that differs from the card's digest.
    """
    folder = Path(root) / corpus_name
    if not folder.is_dir():
        at_hand = ", ".join(sorted(card.parent.name for card in Path(root).glob(f"[!.]*/{CARD}"))) or "none"
        raise InputError(folder, f"no such label set (at hand: {at_hand})", "make it with fmerl label")
    card = read_card(folder)
    vad_range = _range(folder / CARD, card.get("vad_range"))
    _check_dimensions(folder / CARD, card.get("dimensions", list(DIMENSIONS)))
    descriptions = read_descriptions(folder / "descriptions.json")
    check_described(classes, descriptions, folder / "descriptions.json")
    path = folder / "vad.parquet"
    rows: dict[str, _Label] = {}
    for row in read_parquet(path, ("utterance_id", *DIMENSIONS, "error")):
        name = row["utterance_id"]
        if not name or name in rows:
            raise row.error(f"utterance_id {name!r} is empty or stands there twice", "keep one row per utterance")
        rows[name] = _label(row, *vad_range)
    stored = _label_set(rows, vad_range, descriptions, {})
    if stored.card["content_digest"] != card["content_digest"]:
        raise InputError(folder, "the content is not what the card's content_digest was taken of", _MAKE_AGAIN)
    absent: _Label = (_NO_SCORES, f"no row in {path.name}")
    return _label_set({name: rows.get(name, absent) for name in utterance_ids}, vad_range, descriptions, card)


def read_labels_of(root: str | Path, corpus: Corpus) -> LabelSet:
    """Read the labels of a corpus's utterances, as `read_labels` does, from a label set that was made for it.

    Raises:
        InputError: See `read_labels`; a row of no utterance of the corpus; or scores that leave the corpus's range.
    """
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    labels = read_labels(root, corpus.name, ids, corpus.classes)
    folder, known = Path(root) / corpus.name, set(ids)
    for row in read_parquet(folder / "vad.parquet", ("utterance_id",)):
        if row["utterance_id"] not in known:
            what = f"utterance_id {row['utterance_id']!r} is none of corpus {corpus.name}"
            raise row.error(what, "give the label set that was made from this corpus")
    (low, high), (lowest, highest) = labels.vad_range, corpus.vad_range
    if low < lowest or high > highest:
        what = f"scores from {low:g} to {high:g}, where the corpus has {lowest:g} to {highest:g}"
        raise InputError(folder / CARD, what, "label the corpus on its own scale, or mend its vad_range")
    return labels


def _label_set(
    rows: Mapping[str, _Label], vad_range: tuple[float, float], descriptions: dict[str, str], card: dict[str, Any]
) -> LabelSet:
    vad = np.array([scores for scores, _ in rows.values()], dtype=np.float32).reshape(len(rows), 3)
    return LabelSet(tuple(rows), vad, tuple(error for _, error in rows.values()), vad_range, descriptions, card)


def _range(path: Path, value: Any) -> tuple[float, float]:
    numbers = isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value)
    if not numbers or not 0 < value[1] - value[0] < math.inf:
        what = "the card lacks vad_range" if value is None else f"vad_range {value!r} is no range"
        raise InputError(path, what, 'state lowest and highest score, as in "vad_range": [0, 5]')
    return value[0], value[1]


def _check_dimensions(path: Path, value: Any) -> None:
    absent = [name for name in DIMENSIONS if not isinstance(value, list) or name not in value]
    if absent:
        what = f"the label set has no scores of {', '.join(absent)}"
        raise InputError(path, what, f"label the corpus in {', '.join(DIMENSIONS)}")


def _label(row: Row, low: float, high: float) -> _Label:
    if row["error"]:
        if any(row[dimension] for dimension in DIMENSIONS):
            raise row.error("the row has an error and a score", "clear one of them")
        return _NO_SCORES, row["error"]
    scores = []
    for dimension in DIMENSIONS:
        try:
            scores.append(float(row[dimension]))
        except ValueError:
            scores.append(math.nan)
        if not low <= scores[-1] <= high:
            what = f"{dimension} {row[dimension]!r} is not a number from {low:g} to {high:g}"
            raise row.error(what, "mend the score, or clear all three and state the error")
    return tuple(scores), None


def _digest(labels: LabelSet) -> str:
    """Digest of the rows sorted by id, the range and the descriptions."""
    order = sorted(range(len(labels.utterance_ids)), key=labels.utterance_ids.__getitem__)
    described = {
        "utterance_ids": [labels.utterance_ids[row] for row in order],
        "errors": [labels.errors[row] for row in order],
        "vad_range": [float(end) for end in labels.vad_range],
        "descriptions": labels.descriptions,
    }
    scores = np.nan_to_num(labels.vad[order], nan=-1)  # NaN has many bit patterns; errors tell these rows apart.
    return content_digest(described, scores)
