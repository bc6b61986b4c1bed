"""A tuned encoder on disk, and features from it: of all of train, and cross-fitted."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fmerl.card import CARD
from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.features.encoder import Item
from fmerl.features.text.encoder import TextEncoder
from fmerl.finetuning.cell import finetune
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.features import TunedTextSpec
from fmerl.finetuning.folder import HEAD, fold_folder, is_tuned, read_tuned, write_tuned
from fmerl.finetuning.folds import Fold, folds_of
from fmerl.finetuning.model import TunedClassifier
from fmerl.finetuning.result import TunedResult

SEEN = {"corpus": "spoken", "splits": ["train"], "classes": ["neutral", "joy", "anger"]}


def write(folder: Path, result: TunedResult, corpus: Corpus, config: TuningConfig, fold: Fold | None = None) -> None:
    recipe = {"config": asdict(config), "corpus": corpus.digest(), "fold": None if fold is None else asdict(fold)}
    write_tuned(folder, result, {"recipe": recipe, "labels_seen": SEEN, "fingerprint": "f"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tuned: TunedResult, corpus: Corpus, config: TuningConfig) -> Path:
    """Tuned on all of train, and without each of two folds."""
    folder = tmp_path_factory.mktemp("tuned") / "seed-0"
    write(folder, tuned, corpus, config)
    for number in range(2):
        fold = Fold(number=number, of=2)
        write(
            fold_folder(folder, fold), finetune(corpus, replace(config, epochs=1), 0, fold=fold), corpus, config, fold
        )
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "seed-0")
    return tmp_path / "seed-0"


def vectors(folder: Path, items: list[Item]) -> np.ndarray:
    return TunedTextSpec(folder=folder).build().encode(items).values


def test_the_classifier_reads_the_features(folder: Path, tuned: TunedResult, corpus: Corpus) -> None:
    """The head on the stored features gives the scores of the ledger."""
    spec: TunedTextSpec = pickle.loads(pickle.dumps(TunedTextSpec(folder=folder)))
    encoded = spec.build().encode(spec.items(corpus))
    assert isinstance(tuned.system, TunedClassifier)
    head = tuned.system.head
    head.load_state_dict({name.removeprefix("head."): weight for name, weight in load_file(folder / HEAD).items()})
    with torch.no_grad():
        scores = head(torch.from_numpy(encoded.values)).log_softmax(1).numpy()
    rows = {each.utterance_id: row for row, each in enumerate(corpus.utterances())}
    for row in tuned.predictions.to_pylist():
        np.testing.assert_allclose(scores[rows[row["utterance_id"]]], row["scores"], atol=1e-4)


def test_the_card_says_what_was_seen(folder: Path, tuned: TunedResult) -> None:
    found = read_tuned(folder)
    assert found is not None
    assert found.labels_seen == SEEN
    assert found.card["supervised_on_labels"] is True
    assert found.card["scores"] == tuned.metrics
    assert is_tuned(folder, "f")
    assert not is_tuned(folder, "g")


def test_it_is_an_encoder_like_any_other(folder: Path) -> None:
    assert TextEncoder(str(folder)).encode(["what a day"]).shape == (1, 16)


def test_cross_fitted_rows_come_from_the_encoder_without_their_fold(folder: Path, corpus: Corpus) -> None:
    spec = TunedTextSpec(folder=folder, folds=2)
    items = spec.items(corpus)
    found = spec.build().encode(items)
    plain = [replace(item, fold=None) for item in items]
    whole = vectors(folder, plain)
    without = [vectors(fold_folder(folder, Fold(number=number, of=2)), plain) for number in range(2)]
    folds = folds_of(corpus, 2)
    for row, each in enumerate(corpus.utterances()):
        expected = without[folds[each.dialogue_id]] if each.split == "train" else whole
        np.testing.assert_allclose(found.values[row], expected[row], atol=1e-5)
    assert not np.allclose(without[0], without[1], atol=1e-3)


def test_odd_texts_are_listed(folder: Path) -> None:
    items = [
        Item(utterance_id="a", text=""),
        Item(utterance_id="b", text="oh " * 80),
        Item(utterance_id="c", text="oh"),
    ]
    found = TunedTextSpec(folder=folder).build().encode(items)
    assert found.missing.tolist() == [True, False, False]
    assert "empty" in (found.problems[0] or "")
    assert "60 tokens" in (found.problems[1] or "")
    assert found.problems[2] is None


def test_folds_are_of_the_corpus_that_was_tuned_on(folder: Path, corpus: Corpus) -> None:
    other = replace(corpus, dialogues=corpus.dialogues[1:])
    with pytest.raises(InputError, match="another corpus"):
        TunedTextSpec(folder=folder, folds=2).items(other)
    assert TunedTextSpec(folder=folder).items(other)[0].fold is None


def test_folds_that_are_not_there_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="--folds 3"):
        TunedTextSpec(folder=folder, folds=3).build()


def test_a_folder_without_its_card_is_refused(copy: Path) -> None:
    (copy / CARD).unlink()
    with pytest.raises(InputError, match="no card"):
        read_tuned(copy)


def test_changed_weights_are_refused(copy: Path) -> None:
    content = bytearray((copy / HEAD).read_bytes())
    content[-1] ^= 1
    (copy / HEAD).write_bytes(content)
    with pytest.raises(InputError, match="not those that the card"):
        read_tuned(copy)


def test_a_card_of_something_else_is_refused(copy: Path) -> None:
    card = json.loads((copy / CARD).read_text())
    del card["labels_seen"]
    (copy / CARD).write_text(json.dumps(card))
    with pytest.raises(InputError, match="which labels"):
        read_tuned(copy)


def test_other_folders_were_not_tuned_here(bert: str, tmp_path: Path) -> None:
    assert read_tuned(Path(bert)) is None
    assert read_tuned(tmp_path / "nowhere") is None
    with pytest.raises(InputError, match="tuned here"):
        TunedTextSpec(folder=Path(bert)).build()
