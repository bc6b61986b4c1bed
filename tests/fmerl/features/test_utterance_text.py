"""Text features of utterances: alone, and after the turns that led to them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_bert import WORDS, save_tiny_bert

from fmerl.errors import InputError
from fmerl.features.encoder import Item
from fmerl.features.text.encoder import TextEncoder
from fmerl.features.text.utterances import TextSpec

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of two layers, width 16 and 12 positions, drawn at random."""
    folder = tmp_path_factory.mktemp("model")
    save_tiny_bert(folder, positions=12)
    return str(folder)


def item(text: str, *context: str) -> Item:
    return Item(utterance_id=text or "empty", text=text, context=context)


def hidden(model: str, ids: list[int]) -> np.ndarray[Any, Any]:
    """Last layer of one sequence, [L, 16]."""
    from transformers import BertModel

    with torch.inference_mode():
        return BertModel.from_pretrained(model).eval()(torch.tensor([ids])).last_hidden_state[0].numpy()


def words(text: str) -> list[int]:
    return [WORDS.index(word) + 5 for word in text.split()]


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_without_context_it_is_the_text_encoder(model: str, pooling: Any) -> None:
    texts = ["oh my god !", "what a day", "", "alone"]
    encoded = TextSpec(encoder=model, pooling=pooling).build().encode([item(text, "leave me") for text in texts])
    expected = TextEncoder(model, pooling=pooling).encode([texts[row] for row in (0, 1, 3)])
    np.testing.assert_allclose(encoded.values[[0, 1, 3]], expected, atol=1e-6)
    assert encoded.missing.tolist() == [False, False, True, False]
    assert encoded.problems == (None, None, "the text is empty", None)


def test_context_is_read_and_the_utterance_pooled(model: str) -> None:
    turns = item("oh my", "god !", "what a day", "leave me")
    ids = [CLS, *words("what a day"), SEP, *words("leave me"), SEP, *words("oh my"), SEP]
    states = hidden(model, ids)
    mean = TextSpec(encoder=model, pooling="mean", context=2).build().encode([turns])
    np.testing.assert_allclose(mean.values[0], states[8:10].mean(axis=0), atol=1e-5)
    first = TextSpec(encoder=model, pooling="cls", context=2).build().encode([turns])
    np.testing.assert_allclose(first.values[0], states[0], atol=1e-5)


def test_context_longer_than_there_are_turns(model: str) -> None:
    encoder = TextSpec(encoder=model, pooling="mean", context=9).build()
    ids = [CLS, *words("a"), SEP, *words("day"), SEP, *words("oh"), SEP]
    np.testing.assert_allclose(encoder.encode([item("oh", "a", "day")]).values[0], hidden(model, ids)[5], atol=1e-5)
    alone = hidden(model, [CLS, *words("oh"), SEP])[1]
    np.testing.assert_allclose(encoder.encode([item("oh")]).values[0], alone, atol=1e-5)


def test_context_gives_way_to_the_utterance(model: str) -> None:
    encoder = TextSpec(encoder=model, pooling="mean", context=2).build()
    whole = "oh my god ! what a day leave me alone"
    full = encoder.encode([item(whole, "day day day", "a a a")])
    ids = [CLS, *words(whole), SEP]
    np.testing.assert_allclose(full.values[0], hidden(model, ids)[1:11].mean(axis=0), atol=1e-5)
    assert full.problems == (None,), "ten words and two special tokens fill all twelve places, nothing is cut"
    shorter = encoder.encode([item("oh my god ! what a", "day day day", "me me")])
    ids = [CLS, SEP, *words("me me"), SEP, *words("oh my god ! what a"), SEP]
    np.testing.assert_allclose(shorter.values[0], hidden(model, ids)[5:11].mean(axis=0), atol=1e-5)


def test_cut_utterances_are_told(model: str) -> None:
    encoded = TextSpec(encoder=model).build().encode([item("oh " * 10), item("oh " * 11)])
    assert encoded.problems == (None, "the text is longer than 12 tokens, its end is cut")
    assert not encoded.missing.any()


def test_vectors_do_not_depend_on_the_batch(model: str) -> None:
    items = [item("oh my", "day"), item("god", "what a", "leave me alone"), item("alone"), item("")]
    together = TextSpec(encoder=model, context=2, pooling="mean").build().encode(items)
    alone = TextSpec(encoder=model, context=2, pooling="mean", batch_size=1).build()
    np.testing.assert_allclose(
        together.values, np.concatenate([alone.encode([one]).values for one in items]), atol=1e-5
    )


def test_recipe_follows_what_decides_the_vectors(model: str) -> None:
    recipe = TextSpec(encoder=model).build().recipe()
    assert TextSpec(encoder=model, batch_size=3).build().recipe() == recipe
    assert TextSpec(encoder=model, context=1).build().recipe() != recipe
    assert TextSpec(encoder=model, pooling="mean").build().recipe() != recipe


def test_spec_is_small_and_checked() -> None:
    assert len(pickle.dumps(TextSpec())) < 1000
    for changes in ({"context": -1}, {"batch_size": 0}, {"max_length": 0}):
        with pytest.raises(InputError, match="is too small"):
            TextSpec(**changes)  # type: ignore[arg-type]
