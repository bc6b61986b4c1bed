"""Items on their way to workers: a fingerprint of all that decides a vector, and the items as a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from fmerl.features.encoder import Item
from fmerl.features.media import MediaError
from fmerl.features.track import Track
from fmerl.files import file_digest

_THREADS = 8
"""Threads that read media files."""
_LATER_FIELDS = ("following", "speaker", "fold")
"""Fields that only encoders of some kinds fill, and that count only where they are filled."""
_SCHEMA = pa.schema(
    {
        "fingerprint": pa.binary(32),
        "utterance_id": pa.string(),
        "text": pa.string(),
        "context": pa.list_(pa.string()),
        "following": pa.list_(pa.string()),
        "speaker": pa.string(),
        "fold": pa.int64(),
        "media": pa.string(),
        "start": pa.float64(),
        "end": pa.float64(),
        "side": pa.string(),
    }
)


def media_digests(items: Iterable[Item]) -> dict[Path, str]:
    """SHA-256 of every media file that is there, each read once."""
    paths = sorted({item.media for item in items if item.media is not None and item.media.is_file()})
    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(zip(paths, threads.map(file_digest, paths), strict=True))


def seconds_of(items: Iterable[Item]) -> list[float]:
    """Length of each utterance's sound in seconds, by its span or what its file says; 0 where neither does."""
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(_seconds, items))


def _seconds(item: Item) -> float:
    """Length of an utterance's sound; 0 where it is not known."""
    end = item.end
    if end is None and item.media is not None:
        try:
            with Track(item.media, "audio") as track:
                end = track.end
        except MediaError:
            end = None
    return 0.0 if end is None else end - (item.start or 0.0)


def fingerprint(item: Item, recipe_digest: str, digests: Mapping[Path, str]) -> bytes:
    """SHA-256 of the encoder's recipe and of all that it reads of an utterance, 32 bytes; its id is no part of it."""
    read = asdict(item) | {"media": None if item.media is None else digests.get(item.media, "absent")}
    del read["utterance_id"]
    # Tables that were made before items had these fields stay what they were.
    read = {name: value for name, value in read.items() if name not in _LATER_FIELDS or value not in ((), "", None)}
    return hashlib.sha256(f"{recipe_digest}\n{json.dumps(read, sort_keys=True)}".encode()).digest()


def pack(items: Sequence[Item], fingerprints: Sequence[bytes]) -> pa.Table:
    """Items as a table, to send to workers; `unpack` reads it."""
    rows = [
        asdict(item) | {"fingerprint": key, "media": None if item.media is None else str(item.media)}
        for item, key in zip(items, fingerprints, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def unpack(table: pa.Table) -> tuple[list[Item], list[bytes]]:
    """Items and fingerprints of a packed table."""
    rows = table.to_pylist()
    fingerprints = [row.pop("fingerprint") for row in rows]
    items = [
        Item(
            **{
                **row,
                "context": tuple(row["context"]),
                "following": tuple(row["following"]),
                "media": row["media"] and Path(row["media"]),
            }
        )
        for row in rows
    ]
    return items, fingerprints
