"""A small corpus folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.predictions import CLASSES

from fmerl.corpus import SPLITS, Corpus, Dialogue, Utterance, write_corpus


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 dialogues of 6 turns in each split; the last turn of each is context, the first says what train says."""
    rng = np.random.default_rng(3)
    dialogues = []
    for split in SPLITS:
        for number in range(12):
            name = f"{split}{number}"
            dialogues.append(
                Dialogue(
                    dialogue_id=name,
                    utterances=tuple(
                        Utterance(
                            utterance_id=f"{name}_{turn}",
                            dialogue_id=name,
                            turn=turn,
                            speaker="AB"[turn % 2],
                            text="Hello!" if turn == 0 else f"{name} says {turn}",
                            emotion=None if turn == 5 else str(rng.choice(CLASSES)),
                            split=split,
                            valence=float(rng.uniform(0, 5)),
                            arousal=2.0,
                            dominance=float(rng.uniform(0, 5)),
                        )
                        for turn in range(6)
                    ),
                )
            )
    corpus = Corpus(name="small", classes=CLASSES, vad_range=(0.0, 5.0), dialogues=tuple(dialogues))
    folder = tmp_path_factory.mktemp("corpora") / "small"
    write_corpus(corpus, folder)
    return folder
