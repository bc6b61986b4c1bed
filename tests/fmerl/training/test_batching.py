"""Batches of whole dialogues: each utterance once, in an order that only the generator decides."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fmerl.config import MODALITIES, TrainingConfig
from fmerl.model.batch import Batch
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData

MakeData = Callable[..., ConversationData]
Unit = Literal["dialogues", "utterances"]
CPU = torch.device("cpu")
lengths_of_dialogues = st.lists(st.integers(1, 9), min_size=1, max_size=12).map(tuple)


def load(data: ConversationData, batch_size: int, unit: Unit = "dialogues") -> BatchLoader:
    return BatchLoader(data, MODALITIES, TrainingConfig(batch_size=batch_size, batch_unit=unit), CPU)


def dialogues_of(data: ConversationData, batch: Batch) -> list[int]:
    """Indices of the dialogues of a batch in row order, one for each."""
    owner = np.repeat(np.arange(len(data.split)), np.diff(data.offsets))[batch.rows.numpy()]
    return [int(owner[0]), *(int(b) for a, b in pairwise(owner) if a != b)]


def check(data: ConversationData, batches: Iterable[Batch]) -> None:
    seen = []
    for batch in batches:
        rows = batch.rows.numpy()
        seen.extend(rows.tolist())
        dialogues, start = dialogues_of(data, batch), 0
        expected = [length for count, length in batch.runs for _ in range(count)]
        assert [int(np.diff(data.offsets)[g]) for g in dialogues] == expected == sorted(expected)
        assert len({length for _, length in batch.runs}) == len(batch.runs), "one run for each length"
        for g in dialogues:
            span = np.arange(data.offsets[g], data.offsets[g + 1])
            np.testing.assert_array_equal(rows[start : start + len(span)], span)
            np.testing.assert_array_equal(batch.position[start : start + len(span)], np.arange(len(span)))
            start += len(span)
        np.testing.assert_array_equal(batch.speaker, data.speaker[rows])
        np.testing.assert_array_equal(batch.label, data.label[rows])
        np.testing.assert_array_equal(batch.vad, data.vad[rows])
        for name in MODALITIES:
            np.testing.assert_array_equal(batch.features[name], data.features[name][rows])
            np.testing.assert_array_equal(batch.present[name][:, 0], ~data.missing[name][rows])
    assert sorted(seen) == list(range(len(data.label)))


@given(lengths=lengths_of_dialogues, batch_size=st.integers(1, 30), seed=st.integers(0, 99))
@pytest.mark.parametrize("unit", ["dialogues", "utterances"])
def test_every_utterance_once_and_dialogues_whole(
    make_data: MakeData, unit: Unit, lengths: tuple[int, ...], batch_size: int, seed: int
) -> None:
    data = make_data((lengths,), seed=seed)
    loader = load(data, batch_size, unit)
    check(data, loader.in_order())
    check(data, loader.shuffled(torch.Generator().manual_seed(seed)))


@given(lengths=lengths_of_dialogues, batch_size=st.integers(1, 15))
def test_a_batch_in_dialogues_holds_that_many(make_data: MakeData, lengths: tuple[int, ...], batch_size: int) -> None:
    data = make_data((lengths,))
    sizes = [len(dialogues_of(data, b)) for b in load(data, batch_size).shuffled(torch.Generator().manual_seed(0))]
    assert all(size == batch_size for size in sizes[:-1])
    assert 1 <= sizes[-1] <= batch_size


@given(lengths=lengths_of_dialogues, batch_size=st.integers(1, 30))
def test_a_batch_in_utterances_is_full_and_has_no_dialogue_too_many(
    make_data: MakeData, lengths: tuple[int, ...], batch_size: int
) -> None:
    data = make_data((lengths,))
    batches = list(load(data, batch_size, "utterances").shuffled(torch.Generator().manual_seed(0)))
    for batch in batches[:-1]:
        assert len(batch.rows) >= batch_size, "filled until it holds at least batch_size"
    for batch in batches:
        longest = batch.runs[-1][1]
        assert len(batch.rows) - longest < batch_size, "and closed as soon as it does"


def order(loader: BatchLoader, seed: int) -> list[int]:
    return [int(row) for batch in loader.shuffled(torch.Generator().manual_seed(seed)) for row in batch.rows]


def test_order_depends_on_the_generator_only(make_data: MakeData) -> None:
    data = make_data()
    loader = load(data, 3)
    torch.manual_seed(1)
    first = order(loader, 5)
    torch.manual_seed(2)
    assert order(loader, 5) == order(load(data, 3), 5) == first
    assert order(loader, 6) != first
    state = torch.get_rng_state()
    order(loader, 7)
    assert torch.equal(torch.get_rng_state(), state)


def test_evaluation_order_is_fixed_and_by_length(make_data: MakeData) -> None:
    loader = load(make_data(), 4)
    once, again = ([b.rows.tolist() for b in loader.in_order()] for _ in range(2))
    assert once == again
    lengths = [length for batch in loader.in_order() for count, length in batch.runs for _ in range(count)]
    assert lengths == sorted(lengths)


def test_read_only_arrays_are_loaded_without_a_warning_and_never_written(make_data: MakeData) -> None:
    data = make_data()
    arrays: list[np.ndarray] = [data.speaker, data.label, data.vad, *data.features.values(), *data.missing.values()]
    for array in arrays:
        array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(data, load(data, 4).in_order())


def test_only_the_modalities_asked_for(make_data: MakeData) -> None:
    loader = BatchLoader(make_data(), ("audio",), TrainingConfig(), CPU)
    batch = next(loader.in_order())
    assert set(batch.features) == set(batch.present) == {"audio"}
