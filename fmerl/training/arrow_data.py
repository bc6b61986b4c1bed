"""The fields of `ConversationData` as one Arrow IPC buffer, which is read in place and never copied.

A buffer in Ray's object store is shared memory, mapped into every worker of a node; a buffer of a file may be a
memory map. Shapes: U utterances, D_m width of modality m.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_BY_ROW = ("utterance_id", "dialogue_id", "turn", "speaker_name", "speaker", "label", "vad")
_BY_MODALITY = ("features", "missing")
_BY_DIALOGUE = ("offsets", "split")
_PLAIN = ("corpus", "classes", "vad_range", "n_speakers", "digests")


def pack_fields(fields: Mapping[str, Any]) -> pa.Buffer:
    """One record batch: a column for every array by utterance, the rest in the schema's metadata."""
    columns = {name: fields[name] for name in _BY_ROW}
    for kind in _BY_MODALITY:
        columns |= {f"{kind}.{modality}": values for modality, values in fields[kind].items()}
    header = {
        "plain": {name: fields[name] for name in _PLAIN} | {"digests": dict(fields["digests"])},
        "dialogues": {name: fields[name].tolist() for name in _BY_DIALOGUE},
        "columns": {name: array.dtype.str for name, array in columns.items()},
    }
    batch = pa.record_batch({name: _column(array) for name, array in columns.items()})
    batch = batch.replace_schema_metadata({"conversations": json.dumps(header)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def unpack_fields(buffer: pa.Buffer) -> dict[str, Any]:
    """What `pack_fields` was given; arrays by utterance are views of the buffer, and read-only."""
    batch = pa.ipc.open_stream(buffer).read_next_batch()
    header = json.loads(batch.schema.metadata[b"conversations"])
    arrays = {name: _array(batch[name], dtype) for name, dtype in header["columns"].items()}
    plain, dialogues = header["plain"], header["dialogues"]
    return {
        **plain,
        "classes": tuple(plain["classes"]),
        "vad_range": tuple(plain["vad_range"]),
        "offsets": np.array(dialogues["offsets"], dtype=np.int64),
        "split": np.array(dialogues["split"], dtype=np.int8),
        **{name: arrays[name] for name in _BY_ROW},
        **{kind: _of_kind(arrays, kind) for kind in _BY_MODALITY},
    }


def _of_kind(arrays: dict[str, NDArray[Any]], kind: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(f"{kind}."): array for name, array in arrays.items() if name.startswith(f"{kind}.")}


def _column(array: NDArray[Any]) -> pa.Array:
    """Rows as they lie in memory: numbers as such, strings and booleans, which Arrow keeps otherwise, as bytes."""
    kind = pa.from_numpy_dtype(array.dtype) if array.dtype.kind in "iuf" else pa.binary(array.dtype.itemsize)
    values = pa.Array.from_buffers(kind, array.size, [None, pa.py_buffer(np.ascontiguousarray(array))])
    return values if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(values, array.shape[1])


def _array(column: pa.Array, dtype: str) -> NDArray[Any]:
    """A view of the column's memory, [U] or [U, D]."""
    if not pa.types.is_fixed_size_list(column.type):
        return np.frombuffer(column.buffers()[1], dtype=dtype, count=len(column))
    width = column.type.list_size
    return np.frombuffer(column.values.buffers()[1], dtype=dtype, count=len(column) * width).reshape(-1, width)
