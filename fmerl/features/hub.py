"""Models of Hugging Face's hub: from its cache first, so that a rerun meets the same revision, and no network."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from fmerl.card import CARD
from fmerl.files import file_digest

_SECONDS = 5.0
_MODEL_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}

Loaded = TypeVar("Loaded")


def from_cache_or_hub(source: str, load: Callable[..., Loaded]) -> Loaded:
    """Load a hub id or folder; bars and advice are shown only while something is downloaded.

    Args:
        source: Id or folder that `load` reads.
        load: Takes `local_files_only`, as `from_pretrained` does.

    Raises:
        OSError, ValueError: Raised by `load`, or no hub that answers.
    """
    try:
        with quiet_transformers():
            return load(local_files_only=True)
    except (OSError, ValueError):
        if Path(source).is_dir():
            raise
        if os.environ.get("HF_HUB_OFFLINE", "").upper() not in ("1", "ON", "YES", "TRUE"):
            _check_hub()
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


def _check_hub() -> None:
    """Ask the hub once: its own client asks for over a minute before it gives up.

    Raises:
        OSError: It does not answer within 5 s.
    """
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urlopen(Request(hub, method="HEAD"), timeout=_SECONDS).close()
    except HTTPError:
        return
    except OSError as error:
        if not isinstance(getattr(error, "reason", None), ssl.SSLError):  # its client may know other certificates
            raise OSError(f"not in the hub's cache, and {hub} does not answer") from error


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
