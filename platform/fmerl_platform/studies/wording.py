"""Sentences and lists shared by several kinds of study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.table import Column, Table


def supervised_warning(corpus: str, modalities: Sequence[str], unseen: Sequence[str]) -> str:
    """Warning about features whose encoder may have seen the labels."""
    return (
        f"Warning: by its card, the encoder of {corpus}'s {' and '.join(modalities)} features was trained on emotion "
        f"labels, or may have been: then they know {', '.join(unseen)} and these numbers are not zero-shot."
    )


def fold_warning(corpus: str, modalities: Sequence[str]) -> str:
    """Warning about features that may know the labels which folds test."""
    return (
        f"Warning: the cards of {corpus}'s {' and '.join(modalities)} features do not say that their encoder saw no "
        "emotion labels: if it was trained on this corpus's, every fold tests labels that its features know."
    )


def missing_sentence(results: CorpusCells) -> list[str]:
    """Sentence on missing cells, when there are any."""
    if not results.missing:
        return []
    return [f"{len(results.missing)} of {len(results.cells) + len(results.missing)} cells are missing."]


def missing_notes(results: CorpusCells) -> list[str]:
    """One line per variant and reason, in the order of the plan."""
    groups: dict[tuple[str, str], list[str]] = {}
    for cell in results.missing:
        reason = " ".join(cell.reason.split())
        groups.setdefault((cell.variant, reason), []).append(seed_in_fold(cell.seed, cell.fold))
    return [
        f"Missing: {variant}, seed{'s' * (len(group) != 1)} {', '.join(group)}: {reason}"
        for (variant, reason), group in groups.items()
    ]


def seed_in_fold(seed: int, fold: str | None) -> str:
    """A cell's seed, and its fold where there are folds."""
    return str(seed) if fold is None else f"{seed} in fold {fold}"


def missing_rows(results: CorpusCells) -> list[dict[str, Any]]:
    """The missing cells for JSON."""
    return [
        {name: value for name, value in cell._asdict().items() if name != "fold" or value is not None}
        for cell in results.missing
    ]


def cells_table(results: CorpusCells) -> Table:
    """Every finished cell with its fingerprint and its MLflow run."""
    folds = bool(results.folds)
    headers = ("Variant", "Seed", *(["Fold"] if folds else []), "Fingerprint", "MLflow run")
    return Table(
        name=f"{results.corpus} cells",
        caption=f"Cells of {results.corpus}",
        columns=tuple(Column(header, numeric=header == "Seed") for header in headers),
        rows=tuple(
            (cell.variant, str(cell.seed), *([cell.fold or "all"] if folds else []), cell.fingerprint, cell.run_id)
            for cell in results.cells
        ),
        notes=(),
    )
