"""The feature store: one vector per utterance and modality, in Parquet parts with a card.

Shapes: U utterances, D width of the modality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fmerl.card import CARD, content_digest, read_card, replaced_folder, write_card
from fmerl.errors import InputError

_COLUMNS: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "utterance_id": ("string", lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind)),
    "feature": (
        "fixed_size_list<float32>[D]",
        lambda kind: pa.types.is_fixed_size_list(kind) and kind.value_type == pa.float32(),
    ),
    "missing": ("bool", pa.types.is_boolean),
}
"""Column name to the type that it must have, as text and as a predicate."""

_MAKE_AGAIN = "make the table again"


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """One modality of a corpus.

    Raises:
        InputError: A repeated id, a value that is not finite, or a missing row that is not all zero.
        ValueError: Arrays of other shapes or types.
    """

    modality: str
    utterance_ids: tuple[str, ...]
    """Unique, [U]."""
    values: NDArray[np.float32]
    """[U, D]."""
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
        fault = _first_fault(self.utterance_ids, self.values, self.missing)
        if fault is not None:
            row, what, remedy = fault
            raise InputError(f"{self.modality} feature of {self.utterance_ids[row]}", what, remedy)
        if "content_digest" not in self.card:
            object.__setattr__(self, "card", {**self.card, "content_digest": _digest(self)})


def write_features(root: str | Path, corpus_name: str, table: FeatureTable, rows_per_part: int = 4096) -> None:
    """Write `<root>/<corpus_name>/<modality>/`; a reader meets the whole old table or the whole new one.

    Raises:
        InputError: Something that is no feature table is in the way.
        KeyError: The table's card has no recipe.
    """
    ids, width = pa.array(table.utterance_ids, pa.string()), table.values.shape[1]
    with replaced_folder(Path(root) / corpus_name / table.modality) as folder:
        for part, start in enumerate(range(0, max(len(ids), 1), rows_per_part)):
            rows = slice(start, start + rows_per_part)
            columns = {
                "utterance_id": ids[rows],
                "feature": pa.FixedSizeListArray.from_arrays(pa.array(table.values[rows].reshape(-1)), width),
                "missing": pa.array(table.missing[rows]),
            }
            # Codecs and dictionaries cost time on features and save next to nothing.
            file = folder / f"part-{part:05}.parquet"
            pq.write_table(pa.table(columns), file, compression="none", use_dictionary=False)
        write_card(folder, {**table.card, "kind": "features", "content_digest": _digest(table)})


def features_current(root: str | Path, corpus_name: str, modality: str, recipe_digest: str) -> bool:
    """Whether the table is there and was made by this recipe, so that making it again changes nothing.

    Raises:
        InputError: The table's folder is there without a valid card.
    """
    folder = Path(root) / corpus_name / modality
    return folder.is_dir() and read_card(folder)["recipe_digest"] == recipe_digest


def read_features(root: str | Path, corpus_name: str, modality: str, utterance_ids: Sequence[str]) -> FeatureTable:
    """The rows of `utterance_ids`, joined by id and in that order; the table may hold more.

    Raises:
        InputError: No such table or card, a bad column or row, content that is not what the card says, or
            utterances without a row.
    """
    folder = Path(root) / corpus_name / modality
    if not folder.is_dir():
        at_hand = sorted(card.parent.name for card in folder.parent.glob(f"[!.]*/{CARD}"))
        raise InputError(
            folder,
            f"no such feature table (at hand: {', '.join(at_hand) or 'none'})",
            "make it with experiments/extract_features.py or experiments/import_features.py",
        )
    card = read_card(folder)
    ids, values, missing = _read_parts(folder)
    stored = FeatureTable(modality, tuple(ids), values, missing, {})
    if stored.card["content_digest"] != card["content_digest"]:
        raise InputError(folder, "the content is not what the card's content_digest was taken of", _MAKE_AGAIN)
    row_of = {utterance_id: row for row, utterance_id in enumerate(ids)}
    absent = [utterance_id for utterance_id in utterance_ids if utterance_id not in row_of]
    if absent:
        what = f"{len(absent)} of {len(utterance_ids)} utterances have no row, the first is {absent[0]}"
        raise InputError(folder, what, "make the table from the corpus as it is now")
    rows = [row_of[utterance_id] for utterance_id in utterance_ids]
    return FeatureTable(modality, tuple(utterance_ids), values[rows], missing[rows], card)


def _read_parts(folder: Path) -> tuple[list[str], NDArray[np.float32], NDArray[np.bool_]]:
    """Ids, values [U, D] and missing [U] of a table, its parts joined in the order of their names."""
    paths = sorted(folder.glob("part-*.parquet"))
    if not paths:
        raise InputError(folder, "there is no part-*.parquet", _MAKE_AGAIN)
    parts = [_read_part(path) for path in paths]
    widths = [values.shape[1] for _, values, _ in parts]
    for path, width in zip(paths, widths, strict=True):
        if width != widths[0]:
            raise InputError(path, f"features are {width} wide, in {paths[0].name} {widths[0]}", _MAKE_AGAIN)
    ids = [utterance_id for part_ids, _, _ in parts for utterance_id in part_ids]
    values = np.concatenate([part for _, part, _ in parts])
    missing = np.concatenate([part for _, _, part in parts])
    fault = _first_fault(ids, values, missing)
    if fault is not None:
        row, what, remedy = fault
        for path, (part_ids, _, _) in zip(paths, parts, strict=True):
            if row < len(part_ids):
                raise InputError(path, what, remedy, _file_row(row))
            row -= len(part_ids)
    return ids, values, missing


def _read_part(path: Path) -> tuple[list[str], NDArray[np.float32], NDArray[np.bool_]]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(path, f"unreadable Parquet file ({error})", _MAKE_AGAIN) from error
    for name, (wanted, admits) in _COLUMNS.items():
        if name not in file.schema_arrow.names:
            raise InputError(path, f"there is no column {name}", f"add it, of type {wanted}")
        kind = file.schema_arrow.field(name).type
        if not admits(kind):
            raise InputError(path, f"column {name} is {kind}", f"write it as {wanted}")
    try:
        table = file.read(columns=list(_COLUMNS))
    except pa.ArrowInvalid as error:
        row = _file_row(_first_null_feature(file))
        raise InputError(path, "the feature is null", "write zeros, with missing set", row) from error
    for name in ("utterance_id", "missing"):
        if table[name].null_count:
            row = _file_row(int(np.argmax(table[name].is_null())))
            raise InputError(path, f"{name} is null", "fill it in", row)
    feature = table["feature"].combine_chunks()
    # A null within a feature turns to NaN here, which _first_fault reports.
    values = feature.flatten().to_numpy(zero_copy_only=False).reshape(len(table), feature.type.list_size)
    return table["utterance_id"].to_pylist(), values, table["missing"].to_numpy()


def _first_null_feature(file: pq.ParquetFile) -> int:
    """Arrow fails to read a null fixed-size list back, so read row by row up to the failure."""
    rows_read = 0
    with suppress(pa.ArrowInvalid):
        for _ in file.iter_batches(batch_size=1, columns=["feature"]):
            rows_read += 1
    return rows_read


def _file_row(index: int) -> int:
    """What InputError calls the row at `index` of a table: counted from 1, after a header."""
    return index + 2


def _first_repeat(ids: Sequence[str]) -> int | None:
    """Index of the first id that stands at an earlier index as well."""
    seen: set[str] = set()
    for row, item in enumerate(ids):
        if item in seen:
            return row
        seen.add(item)
    return None


def _first_fault(
    ids: Sequence[str], values: NDArray[np.float32], missing: NDArray[np.bool_]
) -> tuple[int, str, str] | None:
    """Row, fault and remedy of the first row that a table must not have."""
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        return int(np.argmin(finite)), "a value is null, NaN or infinite", "write zeros, with missing set"
    filled = missing & values.any(axis=1)
    if filled.any():
        return int(np.argmax(filled)), "missing is set but the feature is not zero", "clear it, or write zeros"
    repeat = _first_repeat(ids)
    if repeat is not None:
        return repeat, f"utterance_id {ids[repeat]} stands there twice", "keep one of the rows"
    return None


def _digest(table: FeatureTable) -> str:
    """Of the rows sorted by id: neither parts nor the order of rows matter."""
    order = sorted(range(len(table.utterance_ids)), key=table.utterance_ids.__getitem__)
    return content_digest([table.utterance_ids[row] for row in order], table.values[order], table.missing[order])
