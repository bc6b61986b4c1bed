"""Parquet parts of a feature table: rows to files and back, and the digest of their content.

Shapes: U utterances of a table, n of a part or chunk, D width.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fmerl.errors import InputError

MAKE_AGAIN = "make the table again"
_LISTS = (
    pa.types.is_fixed_size_list,
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)

_COLUMNS: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "utterance_id": ("string", lambda kind: _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)),
    "feature": (
        "fixed_size_list<float32>[D]",
        lambda kind: any(is_list(kind) for is_list in _LISTS) and pa.types.is_floating(kind.value_type),
    ),
    "missing": ("bool", pa.types.is_boolean),
}
"""Type of each column by name: what is written, and a predicate of what is read."""


def _is_text(kind: pa.DataType) -> bool:
    return any(is_text(kind) for is_text in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


class ContentDigest:
    """Digest of a table that is fed row by row: of the hashes of its rows, sorted by id.

    Neither parts, nor the order of rows, nor how many are fed at once matter. It keeps 32 bytes and the id of a row.
    """

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}

    def add(self, ids: Sequence[str], values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
        """Take in n rows: values [n, D], missing [n].

        Raises:
            InputError: An id that was fed before.
        """
        for utterance_id, row, absent in zip(ids, values, missing, strict=True):
            if utterance_id in self._rows:
                raise InputError(utterance_id, "the utterance has a row already", MAKE_AGAIN)
            self._rows[utterance_id] = hashlib.sha256(absent.tobytes() + row.tobytes()).digest()

    def hexdigest(self) -> str:
        """SHA-256 of the rows so far."""
        ids = sorted(self._rows)
        digest = hashlib.sha256(json.dumps(ids).encode())
        for utterance_id in ids:
            digest.update(self._rows[utterance_id])
        return digest.hexdigest()


def write_part(
    folder: Path, number: int, ids: Sequence[str], values: NDArray[np.float32], missing: NDArray[np.bool_]
) -> None:
    """Write part `number` of a table: n ids, values [n, D], missing [n]."""
    columns = {
        "utterance_id": pa.array(ids, pa.string()),
        "feature": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1]),
        "missing": pa.array(missing),
    }
    # Codecs and dictionaries cost time on features and save next to nothing.
    pq.write_table(pa.table(columns), folder / f"part-{number:05}.parquet", compression="none", use_dictionary=False)


def read_parts(folder: Path) -> tuple[list[str], NDArray[np.float32], NDArray[np.bool_]]:
    """Ids, values [U, D] and missing [U] of a table, its parts joined in the order of their names."""
    paths = sorted(folder.glob("part-*.parquet"))
    if not paths:
        raise InputError(folder, "there is no part-*.parquet", MAKE_AGAIN)
    read = {path: _read_part(path) for path in paths}
    # A part without rows may not tell its width.
    filled = {path: part for path, part in read.items() if part[0]} or read
    paths, parts = list(filled), list(filled.values())
    widths = [values.shape[1] for _, values, _ in parts]
    for path, width in zip(paths, widths, strict=True):
        if width != widths[0]:
            raise InputError(path, f"features are {width} wide, in {paths[0].name} {widths[0]}", MAKE_AGAIN)
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
        raise InputError(path, f"unreadable Parquet file ({error})", MAKE_AGAIN) from error
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
    for name in _COLUMNS:
        if table[name].null_count:
            row = _file_row(int(np.argmax(table[name].is_null())))
            remedy = "write zeros, with missing set" if name == "feature" else "fill it in"
            raise InputError(path, f"{name} is null", remedy, row)
    ids = table["utterance_id"].cast(pa.string()).to_pylist()
    return ids, _values(path, table["feature"].combine_chunks()), table["missing"].to_numpy()


def _values(path: Path, feature: pa.Array) -> NDArray[np.float32]:
    """Features as [n, D], from lists of any type and of equal lengths."""
    lengths = pc.list_value_length(feature).to_numpy(zero_copy_only=False)
    width = int(lengths[0]) if len(lengths) else getattr(feature.type, "list_size", 0)
    if not (lengths == width).all():
        row = int(np.argmax(lengths != width))
        what = f"the feature has {lengths[row]} values, in row {_file_row(0)} {width}"
        raise InputError(path, what, "write features of one length", _file_row(row))
    with np.errstate(over="ignore"):  # what is too large for float32 turns infinite, which _first_fault reports
        # A null within a feature turns to NaN here, which _first_fault reports.
        values = feature.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return values.reshape(len(feature), width)


def _first_null_feature(file: pq.ParquetFile) -> int:
    """Row of the first null feature: Arrow fails to read one back, so rows are read one by one up to the failure."""
    rows_read = 0
    with suppress(pa.ArrowInvalid):
        for _ in file.iter_batches(batch_size=1, columns=["feature"]):
            rows_read += 1
    return rows_read


def _file_row(index: int) -> int:
    """Number that InputError gives the row at `index` of a table: counted from 1, after a header."""
    return index + 2


def _first_repeat(ids: Sequence[str]) -> int | None:
    """Index of the first repeated id."""
    seen: set[str] = set()
    for row, item in enumerate(ids):
        if item in seen:
            return row
        seen.add(item)
    return None


def check_rows(modality: str, ids: Sequence[str], values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    """Raise InputError for a repeated id, a value that is not finite, or a missing row that is not all zero."""
    fault = _first_fault(ids, values, missing)
    if fault is not None:
        row, what, remedy = fault
        raise InputError(f"{modality} feature of {ids[row]}", what, remedy)


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
