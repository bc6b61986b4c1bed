"""Fabricated cells: classes, dialogues and effects are known, so a report's numbers can be checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import starmap

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, f1_score

from fmerl_platform.ledger.results import CellRecord, CorpusCells, MissingCell
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, analyse
from fmerl_platform.study.record import AnchorCosines

CLASSES = ("neutral", "joy", "anger & disgust")
VARIANTS = ("FMERL", "w/o Valence", "w/o Arousal", "w/o Triple-loss")
ACCURACY = {"FMERL": 0.70, "w/o Valence": 0.60, "w/o Arousal": 0.70, "w/o Triple-loss": 0.80}
"""Share of each variant's test utterances that are read right."""

MakeResults = Callable[..., CorpusCells]


@pytest.fixture(scope="session")
def make_results() -> MakeResults:
    """Builds a `CorpusCells` of fabricated cells."""

    def make(
        corpus: str = "meld",
        variants: Sequence[str] = VARIANTS,
        seeds: int = 5,
        missing: Sequence[tuple[str, int, str]] = (),
    ) -> CorpusCells:
        left_out = {(variant, seed) for variant, seed, _ in missing}
        cells = [
            _cell(corpus, variant, seed)
            for variant in variants
            for seed in range(seeds)
            if (variant, seed) not in left_out
        ]
        return CorpusCells(
            corpus,
            CLASSES,
            variants[0],
            tuple(variants),
            tuple(cells),
            tuple(starmap(MissingCell, missing)),
            changes={variants[0]: {}, **{name: {"regression.dimensions": ["arousal"]} for name in variants[1:]}},
            modalities=("text", "audio"),
            anchors=(
                AnchorCosines((variants[0], "a", "b", "c"), ((1, 0.91, 0.9), (0.91, 1, 0.95), (0.9, 0.95, 1))),
                AnchorCosines(("w/o Descriptions",), ((1, 0.5, 0.4), (0.5, 1, 0.6), (0.4, 0.6, 1))),
            ),
        )

    return make


def _cell(corpus: str, variant: str, seed: int, dialogues: int = 60, turns: int = 8) -> CellRecord:
    """Which utterances are hard is the same for every cell; seed and variant decide the rest."""
    shared = np.random.default_rng(7)
    n = dialogues * turns
    gold = shared.integers(len(CLASSES), size=n)
    difficulty = np.repeat(shared.normal(0, 0.1, dialogues), turns) + shared.random(n)
    own = np.random.default_rng([seed, *variant.encode()])
    right = difficulty + own.normal(0, 0.05, n) < ACCURACY.get(variant, 0.7) + own.normal(0, 0.005)
    predicted = np.where(right, gold, (gold + own.integers(1, len(CLASSES), n)) % len(CLASSES))
    names = np.array(CLASSES)
    context_only = np.arange(n) % 40 == 0
    split = np.where(np.arange(n) < turns * 5, "validation", "test")
    vad = {name: own.normal(2 + gold, 0.3) for name in ("valence", "arousal", "dominance")}
    predictions = pa.table(
        {
            "utterance_id": [f"u{index}" for index in range(n)],
            "dialogue_id": [f"d{index // turns}" for index in range(n)],
            "turn": np.arange(n) % turns,
            "speaker": ["A"] * n,
            "split": split,
            "gold": pa.array(names[gold], pa.string(), mask=context_only),
            "predicted": names[predicted],
            **vad,
        }
    )
    hardly_trained = predictions.filter(pa.array(split == "test"))
    hardly_trained = hardly_trained.set_column(
        hardly_trained.column_names.index("predicted"),
        "predicted",
        pa.array(names[own.integers(3, size=len(hardly_trained))]),
    )
    seen = (split == "test") & ~context_only
    weighted_f1 = f1_score(gold[seen], predicted[seen], average="weighted")
    epochs = np.arange(1, 13)
    return CellRecord(
        corpus=corpus,
        variant=variant,
        seed=seed,
        fingerprint=f"{corpus}-{variant}-{seed}",
        run_id=f"run-{variant}-{seed}",
        metrics={
            "test_weighted_f1": weighted_f1,
            "test_accuracy": accuracy_score(gold[seen], predicted[seen]),
            "test_macro_f1": f1_score(gold[seen], predicted[seen], average="macro"),
            "test_oracle_weighted_f1": weighted_f1 + 0.01,
        },
        history={
            "validation_weighted_f1": list(weighted_f1 * (1 - np.exp(-epochs / 3)) + own.normal(0, 0.01, 12)),
            "train_loss": list(1.5 * np.exp(-epochs / 5) + own.normal(0, 0.02, 12) ** 2),
        },
        predictions=predictions,
        conditions=hardly_trained.append_column("condition", pa.array(["first epoch"] * len(hardly_trained))),
    )


@pytest.fixture(scope="session")
def analysis(make_results: MakeResults) -> CorpusAnalysis:
    """MELD with five seeds, two cells of which are missing."""
    missing = [("w/o Arousal", 3, "out of memory:\n2 GiB"), ("w/o Arousal", 4, "out of memory:\n2 GiB")]
    return analyse(make_results(missing=missing), resamples=300)
