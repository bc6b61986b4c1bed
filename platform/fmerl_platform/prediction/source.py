"""The bundle that a user names: a folder, a run of MLflow or a registered model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fmerl.bundle.classes import parse_classes, with_classes
from fmerl.bundle.folder import read_bundle
from fmerl.bundle.model import Bundle
from fmerl.errors import InputError

_MODELS = "models:/"
_RUN = re.compile(r"[0-9a-f]{32}")


def open_bundle(source: str, storage: Path, classes: Sequence[str] = (), anchor_encoder: str | None = None) -> Bundle:
    """Read a bundle.

    Args:
        source: A folder, a run's id, or `models:/NAME/VERSION` or `models:/NAME@ALIAS`.
        storage: Folder whose MLflow database holds runs and models.
        classes: `NAME=DESCRIPTION` of classes to add or describe anew.
        anchor_encoder: Place of the encoder of the descriptions on this machine.

    Raises:
        InputError: No such bundle, or classes that it cannot take.
    """
    descriptions = parse_classes(classes)
    return with_classes(_read(source, storage), descriptions, anchor_encoder)


def _read(source: str, storage: Path) -> Bundle:
    if Path(source).is_dir():
        return read_bundle(source)
    if not source.startswith(_MODELS) and not _RUN.fullmatch(source):
        raise InputError(source, "no folder, run id or registered model", "give a folder that fmerl export wrote")
    from fmerl_platform.ledger.models.bundles import read_logged  # MLflow starts slowly, and a folder needs none

    return read_logged(source, storage)
