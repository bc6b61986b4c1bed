"""Fabricated cells of a zero-shot study, so that a report's numbers can be checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

from fmerl_platform.ledger.results import CellRecord, CorpusCells, MissingCell

settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")

CLASSES = ("neutral", "joy", "anger", "fear")
MakeCell = Callable[..., CellRecord]
MakeResults = Callable[..., CorpusCells]


def build_cell(
    variant: str,
    seed: int,
    *,
    bias: float = 1.0,
    held_out: Sequence[str] = ("fear",),
    dialogues: int = 60,
    keep: slice = slice(None),
    answers: bool = False,
) -> CellRecord:
    """A cell whose scores of classes that it held out are `bias` too low; which utterances are hard all cells share.

    Args:
        variant: Its name.
        seed: Of what differs between seeds.
        bias: On the scale of scores whose noise has unit variance.
        held_out: Classes that the cell never learned.
        dialogues: Of validation and test together, six utterances in each.
        keep: Rows that are left in the ledger.
        answers: A language model's: one-hot scores, test alone.
    """
    shared, own = np.random.default_rng(7), np.random.default_rng([seed, *variant.encode()])
    n = dialogues * 6
    gold = shared.integers(len(CLASSES), size=n)
    names = np.array(CLASSES)
    scores = 1.5 * np.eye(len(CLASSES))[gold] + shared.normal(0, 0.8, (n, 4)) + own.normal(0, 0.4, (n, 4))
    scores -= bias * np.isin(names, held_out)
    predicted = scores.argmax(1)
    split = np.where(np.arange(n) < n // 3, "validation", "test")
    values = np.eye(len(CLASSES))[predicted] if answers else scores
    table = pa.table(
        {
            "utterance_id": [f"u{row}" for row in range(n)],
            "dialogue_id": [f"d{row // 6}" for row in range(n)],
            "turn": np.arange(n) % 6,
            "speaker": ["A"] * n,
            "split": split,
            "gold": names[gold],
            "predicted": names[predicted],
            "scores": pa.array(values.astype(np.float32).tolist(), pa.list_(pa.float32())),
        }
    )
    if answers:
        table = table.filter(pa.compute.field("split") == "test")
    table = table.take(np.arange(len(table))[keep])
    return CellRecord(
        corpus="meld",
        variant=variant,
        seed=seed,
        fingerprint=f"{variant}-{seed}",
        run_id=f"run-{variant}-{seed}",
        metrics={} if answers else {"parameters": 2.5e6},
        history={},
        predictions=table,
        conditions=table.slice(0, 0).append_column("condition", pa.array([], pa.string())),
    )


def build_results(
    seeds: int = 3, *, stand_in: bool = True, missing: Sequence[tuple[str, int, str]] = ()
) -> CorpusCells:
    """FMERL, a variant, a closed-set system and, unless told otherwise, the pseudo-unseen cells."""
    held_out = {"pseudo-unseen joy": ("fear", "joy")} if stand_in else {}
    changes: dict[str, dict[str, Any]] = {
        "FMERL": {},
        "w/o Valence": {"regression.dimensions": ["arousal"]},
        "SDT": {"system.name": "SDT"},
        **{name: {"training.unseen_classes": list(classes)} for name, classes in held_out.items()},
    }
    cells = [
        build_cell(
            variant, seed, held_out=held_out.get(variant, ("fear",)), bias=1e4 if variant == "SDT" else 1.0 + 0.1 * seed
        )
        for variant in changes
        for seed in range(seeds)
        if (variant, seed) not in {(name, number) for name, number, _ in missing}
    ]
    return CorpusCells(
        "meld", CLASSES, "FMERL", tuple(changes), tuple(cells), tuple(starmap(MissingCell, missing)), changes=changes
    )


@pytest.fixture(scope="session")
def make_cell() -> MakeCell:
    """`build_cell`."""
    return build_cell


@pytest.fixture(scope="session")
def make_results() -> MakeResults:
    """`build_results`."""
    return build_results
