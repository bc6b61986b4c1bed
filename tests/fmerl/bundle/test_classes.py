"""Classes in words: added, described anew, and refused where a system knows only its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.text_cells import DESCRIPTIONS, TextCells, train_text_cells

from fmerl.bundle.classes import parse_classes, with_classes
from fmerl.bundle.folder import read_bundle
from fmerl.errors import InputError

CPU = torch.device("cpu")
PRIDE = "Arousal: a day, Valence: what a day, Dominance: my god"


def test_a_class_is_added_and_the_others_score_as_before(cells: TextCells) -> None:
    bundle, data = read_bundle(cells.bundle), cells.data.subset("test")
    more = with_classes(bundle, {"pride": PRIDE})
    assert more.classes == (*bundle.classes, "pride")
    assert more.manifest.anchor_texts[-1] == f"pride. {PRIDE}"
    assert more.manifest.train_counts[-1] == 0
    before, after = bundle.predict(data, CPU), more.predict(data, CPU)
    np.testing.assert_allclose(after.scores[..., :3], before.scores, atol=1e-6)
    assert after.probabilities.shape[1] == 4
    np.testing.assert_allclose(after.probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(bundle.predict(data, CPU).scores, before.scores)


def test_a_class_described_as_another_scores_as_that_one(cells: TextCells) -> None:
    """Its text is the class's name and description: with both alike, so are the scores."""
    bundle, data = read_bundle(cells.bundle), cells.data.subset("test")
    again = with_classes(bundle, {"joy": DESCRIPTIONS["joy"]})
    np.testing.assert_allclose(again.predict(data, CPU).scores, bundle.predict(data, CPU).scores, atol=1e-6)
    assert again.manifest.train_counts == bundle.manifest.train_counts
    anew = with_classes(bundle, {"joy": PRIDE})
    assert anew.classes == bundle.classes
    assert anew.manifest.train_counts[0] == 0
    found, before = anew.predict(data, CPU).scores, bundle.predict(data, CPU).scores
    assert np.abs(found[..., 0] - before[..., 0]).max() > 1e-3
    np.testing.assert_allclose(found[..., 1:], before[..., 1:], atol=1e-6)
    twice = with_classes(anew, {"joy": DESCRIPTIONS["joy"]})
    np.testing.assert_allclose(twice.predict(data, CPU).scores, before, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["=Valence: high"], "names no class"),
        (["pride=a", " pride =b"], "pride stands twice"),
        (["pride=good"], "does not start with a dimension"),
        (["pride=Valence: high"], "lacks arousal, dominance"),
        (["pride"], "does not start with a dimension"),
    ],
)
def test_bad_classes_are_refused(cells: TextCells, given: Sequence[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        with_classes(read_bundle(cells.bundle), parse_classes(given))


def test_the_anchors_own_encoder_is_asked_for(cells: TextCells, tmp_path: Path) -> None:
    from transformers import BertModel

    other = tmp_path / "other"
    from helpers.tiny_bert import save_tiny_bert

    save_tiny_bert(other, positions=32)
    model = BertModel.from_pretrained(other)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.mul_(1.5)
    model.save_pretrained(other)
    with pytest.raises(InputError, match=r"anchor encoder .* other vectors of the bundle's descriptions"):
        with_classes(read_bundle(cells.bundle), {"pride": PRIDE}, str(other))


def test_a_closed_set_is_refused_by_name(tmp_path: Path) -> None:
    cells = train_text_cells(tmp_path, seeds=(0,), system__name="MLP", training__epochs=1)
    bundle = read_bundle(cells.bundle)
    with pytest.raises(InputError, match="MLP knows only the classes that it was trained on"):
        with_classes(bundle, {"pride": PRIDE})
    found = bundle.predict(cells.data.subset("test"), CPU)
    assert np.isnan(found.vad).all()
    assert np.isnan(found.spread).all()


def test_models_of_bare_names_take_names_alone(tmp_path: Path) -> None:
    cells = train_text_cells(tmp_path, seeds=(0,), anchors__description="label", training__epochs=1)
    bundle = read_bundle(cells.bundle)
    assert with_classes(bundle, {"pride": ""}).manifest.anchor_texts[-1] == "pride"
    with pytest.raises(InputError, match="reads names alone, and pride has a description"):
        with_classes(bundle, {"pride": PRIDE})
