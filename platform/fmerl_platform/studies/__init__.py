"""Kinds of study: analysis of the cells, and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmerl.errors import InputError

if TYPE_CHECKING:
    from fmerl_platform.studies.kind import StudyKind
    from fmerl_platform.study.record import StudyRecord


def kind_of(record: StudyRecord) -> StudyKind:
    """The kind of study that a record names, with its options.

    Raises:
        InputError: A name that this version does not know.
    """
    from fmerl_platform.studies.ablation import Ablation
    from fmerl_platform.studies.zero_shot import ZeroShot

    kinds: dict[str, type[StudyKind]] = {kind.name: kind for kind in (Ablation, ZeroShot)}
    if record.kind not in kinds:
        raise InputError(
            f"study {record.study}", f"its kind {record.kind!r} is unknown", f"known are {', '.join(kinds)}"
        )
    return kinds[record.kind](**record.options)
