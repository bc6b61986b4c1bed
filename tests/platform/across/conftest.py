"""Corpora with planted transfer: two that one encoder read, and one of which it is only said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmerl.config import DIMENSIONS
from fmerl.corpus import Corpus, write_corpus
from fmerl.corpus.class_maps import with_classes
from fmerl.features.store import FeatureTable, write_features
from fmerl.synthetic.corpus import SyntheticCorpus, generate
from fmerl.synthetic.spec import IEMOCAP_SHAPE, ModalitySpec
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study

RECIPE = {"encoder": "made-up", "layer": 1}
APART = {
    "happy": "joy",
    "sad": "sadness",
    "neutral": "surprise",
    "angry": "anger",
    "excited": "fear",
    "frustrated": "disgust",
}


def generated(seed: int) -> SyntheticCorpus:
    """Short dialogues whose texts show emotions well; another seed is another encoder."""
    clear = ModalitySpec(width=24, class_signal=1.5, expression_noise=0.3, voice=0.1, sensor_noise=0.1)
    return generate(
        replace(
            IEMOCAP_SHAPE,
            dialogues=(120, 24, 40),
            utterances=920,
            longest=20,
            unseen_class=None,
            text=clear,
            audio=clear,
            visual=clear,
            seed=seed,
        )
    )


def part(made: SyntheticCorpus, name: str, keep: int) -> tuple[Corpus, FeatureTable]:
    """Every second dialogue, from the first or the second one on, with their texts' features."""
    corpus = made.corpus
    dialogues = corpus.dialogues[keep::2]
    chosen = {utterance.utterance_id for dialogue in dialogues for utterance in dialogue.utterances}
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    rows = np.flatnonzero([name in chosen for name in ids])
    values, missing = made.features["text"]
    table = FeatureTable(
        modality="text",
        utterance_ids=tuple(ids[row] for row in rows),
        values=values[rows],
        missing=missing[rows],
        card={"recipe": RECIPE, "supervised_on_labels": False},
    )
    return replace(corpus, name=name, dialogues=dialogues), table


def on_another_scale(corpus: Corpus) -> Corpus:
    """Scores from 1 to 5 as scores from 0 to 100."""
    dialogues = tuple(
        replace(
            dialogue,
            utterances=tuple(
                replace(item, **{name: 25 * (getattr(item, name) - 1) for name in DIMENSIONS})
                for item in dialogue.utterances
            ),
        )
        for dialogue in corpus.dialogues
    )
    return replace(corpus, vad_range=(0.0, 100.0), dialogues=dialogues)


def written(corpus: Corpus, table: FeatureTable, home: Path) -> str:
    write_features(home / "features", corpus.name, table)
    write_corpus(corpus, home / corpus.name)
    return str(home / corpus.name)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the corpora `one`, `other`, `strange` and `apart`.

    `other` has the dialogues that `one` lacks, calls anger another name, gives its scores on another scale and does not
    label frustration. `strange` claims the same encoder, but another one read it. `apart` has classes of its own.
    """
    home = tmp_path_factory.mktemp("planted")
    made = generated(seed=0)
    one, table = part(made, "one", 0)
    written(one, table, home)
    other, table = part(made, "other", 1)
    written(on_another_scale(with_classes(other, {"angry": "anger", "frustrated": None})), table, home)
    written(with_classes(replace(other, name="apart"), APART), table, home)
    written(*part(generated(seed=1), "strange", 0), home)
    return home


MakeStudy = Callable[..., Study]


@pytest.fixture(scope="session")
def make_study(planted: Path) -> MakeStudy:
    """A study of some of these corpora."""

    def make(
        corpora: Sequence[str] = ("one", "other", "strange"), seeds: Sequence[int] = (0, 1, 2), **changes: object
    ) -> Study:
        options: Mapping[str, object] = {
            "features": planted / "features",
            "epochs": 6,
            "set": ("hidden=32", "learning_rate=0.004"),
            **changes,
        }
        return Study(
            "across",
            corpora=[str(planted / name) for name in corpora],
            variants=PAPER[:1],
            seeds=seeds,
            inputs=InputOptions(**options),  # type: ignore[arg-type]
        )

    return make
