"""Models of Hugging Face's hub: from its cache first, so that a rerun meets the same revision, and no network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from fmerl.card import CARD
from fmerl.files import file_digest

_MODEL_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}

Loaded = TypeVar("Loaded")


def from_cache_or_hub(source: str, load: Callable[..., Loaded]) -> Loaded:
    """Load a hub id or folder; bars and advice are shown only while something is downloaded.

    Args:
        source: Id or folder that `load` reads.
        load: Takes `local_files_only`, as `from_pretrained` does.

    Raises:
        OSError, ValueError: Raised by `load`.
    """
    try:
        with quiet_transformers():
            return load(local_files_only=True)
    except (OSError, ValueError):
        if Path(source).is_dir():
            raise
        return load(local_files_only=False)


def revision(source: str) -> str:
    """SHA-256 of a folder's model files; commit of a model that lies in the hub's cache.

    Raises:
        OSError: The cache does not hold the model.
    """
    folder = Path(source)
    if not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(source, "config.json")
        if not isinstance(config, str):
            raise OSError("the hub's cache does not hold the model")
        return Path(config).parent.name
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _MODEL_FILES and path.name != CARD:  # a card says when, and the model is the same
            digest.update(path.name.encode() + bytes.fromhex(file_digest(path)))
    return digest.hexdigest()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars and no advice from Transformers."""
    from transformers.utils import logging as noise

    verbosity, bars = noise.get_verbosity(), noise.is_progress_bar_enabled()
    noise.set_verbosity_error()
    noise.disable_progress_bar()
    try:
        yield
    finally:
        noise.set_verbosity(verbosity)
        if bars:
            noise.enable_progress_bar()
