"""Studies that never ran."""

from __future__ import annotations

from fmerl_platform.study.record import StudyRecord


def record_of(study: str, kind: str = "ablation", **provenance: str) -> StudyRecord:
    """The record of a study without corpora."""
    return StudyRecord(
        study=study,
        kind=kind,
        control="FMERL",
        command="python x",
        features=None,
        labels=None,
        scale=1.0,
        corpora=(),
        provenance=provenance,
    )
