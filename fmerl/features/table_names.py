"""Names of feature tables: a modality may have several, which a study reads side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fmerl.config import MODALITIES
from fmerl.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def table_name(modality: str, name: str = "") -> str:
    """Folder of a table: a modality's name, or that with a name of the table's own."""
    return modality if name in ("", modality) else f"{modality}-{name}"


def check_name(option: str, name: str) -> None:
    """Refuse a name of a table that could not be part of a folder's name or of a list of tables."""
    if not _NAME.fullmatch(name):
        raise InputError(option, f"{name!r} is no name of a table", "use letters, digits, dots, dashes and underscores")


def parse_tables(choices: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names of the tables of each modality, from `text=roberta+bert`; a modality's own name is its unnamed table.

    Raises:
        InputError: No such choice, another modality, or one that stands there twice.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    for choice in choices:
        modality, _, listed = choice.partition("=")
        names = tuple(listed.split("+"))
        if modality not in MODALITIES or modality in chosen or len(set(names)) < len(names):
            what = f"{choice!r} is no choice of tables, or names one twice"
            raise InputError("--tables", what, f"name each once, as in text=roberta+bert, of {', '.join(MODALITIES)}")
        for name in names:
            check_name("--tables", name)
        chosen[modality] = names
    return chosen
