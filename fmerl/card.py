"""Cards: origin of a feature table or a label set, and a hash of its content.

Every folder of derived data carries one `card.json`; data without it are refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.files import sync, sync_tree
from fmerl.user_text import read_json
from fmerl.version import __version__

CARD = "card.json"

_REQUIRED = {
    "kind": str,
    "made_by": str,
    "created": str,
    "recipe": dict,
    "recipe_digest": str,
    "content_digest": str,
}


def recipe_digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of `fields`, whatever the order of their keys.

    Raises:
        TypeError: A value that JSON lacks, such as a set or an object, or a key that is no string.
        ValueError: NaN or infinity.
    """
    return hashlib.sha256(_canonical_json(fields)).hexdigest()


def content_digest(described: Any, *arrays: NDArray[Any]) -> str:
    """SHA-256 of the canonical JSON of `described`, then of the type, shape and bytes of each array.

    Raises:
        TypeError, ValueError: As `recipe_digest`.
    """
    digest = hashlib.sha256(_canonical_json(described))
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_card(folder: str | Path, fields: Mapping[str, Any]) -> None:
    """Write the card of the data in `folder`.

    Args:
        folder: Folder of the data.
        fields: `kind`, `recipe` and `content_digest`, and free ones; `made_by`, `created` and `recipe_digest`
            are filled in here.

    Raises:
        KeyError: One of the three fields is absent.
        TypeError, ValueError: A value that is not stable; see `recipe_digest`.
    """
    card = {
        "kind": fields["kind"],
        **fields,
        "made_by": f"fmerl {__version__}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe_digest": recipe_digest(fields["recipe"]),
        "content_digest": fields["content_digest"],
    }
    _canonical_json(card)
    (Path(folder) / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_card(folder: str | Path) -> dict[str, Any]:
    """Read the card of the data in `folder`.

    Raises:
        InputError: No card, no JSON, a field that is absent or of another type, or a recipe that was changed.
    """
    path = Path(folder) / CARD
    remedy = "make the data again: what made them is not known"
    if not path.is_file():
        raise InputError(path, "there is no card", remedy)
    card = read_json(path, remedy)
    for name, kind in _REQUIRED.items():
        if not isinstance(card, dict) or not isinstance(card.get(name), kind):
            raise InputError(path, f"the card lacks {name} ({kind.__name__})", remedy)
    if recipe_digest(card["recipe"]) != card["recipe_digest"]:
        raise InputError(path, "the recipe is not the one that recipe_digest was taken of", remedy)
    return card


def check_replaceable(folder: Path) -> None:
    """Refuse a folder that holds something without a card, hence is not ours to replace.

    Raises:
        InputError: It does.
    """
    if folder.exists() and not (folder / CARD).is_file():
        raise InputError(folder, "something without a card is in the way", "move it, or choose another folder")


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A new sibling of `folder` to fill; it takes `folder`'s place, on disk, if the block succeeds, else it is deleted.

    Raises:
        InputError: As `check_replaceable`.
    """
    check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    suffix = uuid4().hex
    fresh, retired = (folder.with_name(f".{folder.name}.{role}-{suffix}") for role in ("new", "old"))
    fresh.mkdir()
    try:
        yield fresh
        sync_tree(fresh)
        if folder.exists():
            folder.rename(retired)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    sync(folder.parent)
    shutil.rmtree(retired, ignore_errors=True)


def _canonical_json(value: Any) -> bytes:
    _check_keys(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _check_keys(value: Any) -> None:
    """Refuse keys other than strings: JSON turns the keys 1 and "1" into one."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is not a string")
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)
