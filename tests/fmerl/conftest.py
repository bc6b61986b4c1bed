"""Small corpora made from a seed. Everything random in these tests follows from seeds written in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fmerl.config import KNOWLEDGE, RELATIONS, CellConfig
from fmerl.training.dataset import ConversationData

WIDTHS = {"text": 7, "audio": 5, "visual": 3}
LENGTHS = ((4, 1, 6, 4, 2, 4, 1, 9), (3, 3, 5), (2, 7, 1, 3))
"""Turns per dialogue of train, validation and test: lengths of 1, lengths that repeat and lengths that differ."""

MakeData = Callable[..., ConversationData]


def build_data(
    lengths: Sequence[Sequence[int]] = LENGTHS,
    *,
    n_classes: int = 4,
    n_speakers: int = 2,
    cast: int = 4,
    context_only: float = 0.2,
    missing: float = 0.2,
    unscored: float = 0.1,
    noise: float = 1.0,
    seed: int = 0,
) -> ConversationData:
    """A corpus whose features and scores follow the class plus noise.

    Args:
        lengths: Turns of each dialogue, by split.
        n_classes: C.
        n_speakers: Embedded speakers.
        cast: Speakers who may talk in a dialogue; more than `n_speakers` overflow.
        context_only: Share of utterances without a label.
        missing: Share of utterances without a modality, drawn for each modality.
        unscored: Share of scores that are NaN.
        noise: Standard deviation beside class prototypes of unit variance.
        seed: Decides everything.
    """
    draw = np.random.default_rng(seed)
    turns = np.array([length for split in lengths for length in split])
    rows = int(turns.sum())
    emotion = draw.integers(n_classes, size=rows)
    absent = {name: draw.random(rows) < missing for name in WIDTHS}
    features = {}
    for name, width in WIDTHS.items():
        values = draw.normal(size=(n_classes, width))[emotion] + noise * draw.normal(size=(rows, width))
        features[name] = np.where(absent[name][:, None], 0, values).astype(np.float32)
    # From a generator of its own, so that everything else is what it was without knowledge.
    apart = np.random.default_rng([seed, 1])
    absent[KNOWLEDGE] = apart.random(rows) < missing
    told = apart.normal(size=(n_classes, 2 * len(RELATIONS)))[emotion] + apart.normal(size=(rows, 2 * len(RELATIONS)))
    features[KNOWLEDGE] = np.where(absent[KNOWLEDGE][:, None], 0, told).astype(np.float32)
    vad = np.clip(draw.uniform(0, 5, size=(n_classes, 3))[emotion] + draw.normal(size=(rows, 3)), 0, 5)
    vad[draw.random((rows, 3)) < unscored] = np.nan
    speaker = np.concatenate([_by_first_appearance(draw.integers(cast, size=length)) for length in turns])
    return ConversationData(
        corpus="made-up",
        classes=tuple(f"class {c}" for c in range(n_classes)),
        vad_range=(0.0, 5.0),
        n_speakers=n_speakers,
        utterance_id=np.array([f"u{row}" for row in range(rows)]),
        dialogue_id=np.repeat([f"d{g}" for g in range(len(turns))], turns),
        turn=np.concatenate([np.arange(length) * 2 for length in turns]),
        speaker_name=np.array([f"speaker {index}" for index in speaker]),
        speaker=speaker,
        label=np.where(draw.random(rows) < context_only, -1, emotion),
        vad=vad.astype(np.float32),
        offsets=np.concatenate([[0], np.cumsum(turns)]),
        split=np.repeat(np.arange(len(lengths)), [len(split) for split in lengths]).astype(np.int8),
        features=features,
        missing=absent,
        digests={},
    )


def _by_first_appearance(people: NDArray[np.int64]) -> NDArray[np.int64]:
    order: dict[int, int] = {}
    return np.array([order.setdefault(int(person), len(order)) for person in people], dtype=np.int64)


@pytest.fixture(scope="session")
def make_data() -> MakeData:
    """`build_data`, as a fixture so that tests in every folder reach it."""
    return build_data


@pytest.fixture(scope="session")
def anchors() -> NDArray[np.float32]:
    """Four encoded descriptions, [C, E]."""
    return np.random.default_rng(7).normal(size=(4, 6)).astype(np.float32)


@pytest.fixture(scope="session")
def tiny() -> CellConfig:
    """A cell that trains in a tenth of a second."""
    return CellConfig().changed(
        backbone__hidden=16,
        backbone__heads=2,
        backbone__dropout=0.2,
        system__cosmic__state=8,
        system__cosmic__emotion=12,
        contrastive__temperature=0.1,
        training__learning_rate=3e-3,
        training__epochs=4,
        training__batch_size=3,
    )
