"""Encoded blocks on disk until their table is complete: Arrow IPC files that are there whole or not at all.

Shapes: n rows asked for, D width of the modality.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmerl.features.encoder import Encoded
from fmerl.files import replaced_file

_SUFFIX = ".arrow"
_BEGUN = ".begun"


def begin(folder: Path, fingerprints: Sequence[bytes]) -> int:
    """Note that items are about to be encoded together; returns the number of times without an `end`, this one too."""
    with _begun(folder, fingerprints).open("ab") as file:
        file.write(b".")
        return file.tell()


def end(folder: Path, fingerprints: Sequence[bytes]) -> None:
    """Note that the process survived encoding these items."""
    _begun(folder, fingerprints).unlink(missing_ok=True)


def forget_begun(folder: Path) -> None:
    """Forget what earlier runs began: it ended with them, and its items are not to blame."""
    for path in folder.glob(f"*{_BEGUN}"):
        path.unlink()


def stage(folder: Path, fingerprints: Sequence[bytes], encoded: Encoded) -> None:
    """Write a block to disk, replacing the same block if another worker wrote it."""
    table = pa.table(
        {
            "fingerprint": pa.array(fingerprints, pa.binary(32)),
            "feature": pa.FixedSizeListArray.from_arrays(pa.array(encoded.values.reshape(-1)), encoded.values.shape[1]),
            "missing": pa.array(encoded.missing),
            "problem": pa.array(encoded.problems, pa.string()),
        }
    )
    path = folder / f"{_name(fingerprints)}{_SUFFIX}"
    with replaced_file(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


@dataclass(frozen=True, eq=False)
class Rows:
    """Encoded utterances."""

    values: NDArray[np.float32]
    """Features, [n, D]."""
    missing: NDArray[np.bool_]
    """True where the modality is missing, [n]."""
    problems: list[str | None]


class Staged:
    """The blocks in a folder, as they are when this is built; features stay on disk until they are asked for.

    A block that cannot be read is removed, so that its utterances are encoded again.
    """

    def __init__(self, folder: Path) -> None:
        self._files: list[Path] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            try:
                fingerprints = _read(path)["fingerprint"].to_pylist()
            except pa.ArrowInvalid:
                path.unlink()
                continue
            for row, key in enumerate(fingerprints):
                self._places[key] = len(self._files), row
            self._files.append(path)

    def __contains__(self, fingerprint: bytes) -> bool:
        return fingerprint in self._places

    def rows(self, fingerprints: Sequence[bytes], width: int) -> Rows:
        """Rows of these fingerprints, in their order, out of memory-mapped files.

        Raises:
            KeyError: One is not there.
        """
        places = np.array([self._places[key] for key in fingerprints])
        values = np.empty((len(fingerprints), width), dtype=np.float32)
        missing = np.empty(len(fingerprints), dtype=np.bool_)
        problems = np.empty(len(fingerprints), dtype=object)
        for file in np.unique(places[:, 0]):
            block, here = _read(self._files[file]), places[:, 0] == file
            rows = places[here, 1]
            feature = block["feature"].combine_chunks()
            values[here] = feature.flatten().to_numpy().reshape(-1, width)[rows]
            missing[here] = block["missing"].to_numpy()[rows]
            problems[here] = np.array(block["problem"].to_pylist(), dtype=object)[rows]
        return Rows(values=values, missing=missing, problems=problems.tolist())


def _begun(folder: Path, fingerprints: Sequence[bytes]) -> Path:
    return folder / f"{_name(fingerprints)}{_BEGUN}"


def _name(fingerprints: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(fingerprints)).hexdigest()


def _read(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
