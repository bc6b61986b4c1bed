"""Conversation data as one Arrow buffer: nothing lost, nothing copied."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from fmerl.config import CellConfig
from fmerl.training.cell import train_cell
from fmerl.training.dataset import ConversationData

MakeData = Callable[..., ConversationData]
BY_UTTERANCE = ("utterance_id", "dialogue_id", "turn", "speaker_name", "speaker", "label", "vad")


def arrays(data: ConversationData) -> dict[str, NDArray[Any]]:
    """Every array by utterance."""
    named = {name: getattr(data, name) for name in BY_UTTERANCE}
    named |= {f"features {name}": values for name, values in data.features.items()}
    return named | {f"missing {name}": values for name, values in data.missing.items()}


def assert_same(got: ConversationData, expected: ConversationData) -> None:
    for field in fields(ConversationData):
        ours, theirs = getattr(got, field.name), getattr(expected, field.name)
        if field.name in ("features", "missing"):
            assert list(ours) == list(theirs)
            for name in ours:
                np.testing.assert_array_equal(ours[name], theirs[name], strict=True)
        elif isinstance(theirs, np.ndarray):
            np.testing.assert_array_equal(ours, theirs, strict=True)
        else:
            assert ours == theirs, field.name


def test_nothing_is_lost(make_data: MakeData) -> None:
    data = make_data()
    assert_same(ConversationData.from_arrow(data.to_arrow()), data)


def test_slices_keep_only_their_rows(make_data: MakeData) -> None:
    data = make_data()
    part = data.subset("validation", "test")
    assert_same(ConversationData.from_arrow(part.to_arrow()), part)
    assert part.to_arrow().size < data.to_arrow().size


def test_memory_mapped_file_is_read_in_place(make_data: MakeData, tmp_path: Path) -> None:
    path = tmp_path / "data.arrow"
    path.write_bytes(make_data().to_arrow())
    buffer = pa.memory_map(str(path)).read_buffer()
    for name, array in arrays(ConversationData.from_arrow(buffer)).items():
        place = array.__array_interface__["data"][0]
        assert buffer.address <= place < buffer.address + buffer.size, name
        assert not array.flags.writeable, name
    (line,) = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]
    assert line.split()[1].startswith("r--"), "never written to, so that processes share the file's pages"


def test_pickle_carries_one_buffer_out_of_band(make_data: MakeData) -> None:
    data, buffers = make_data(), []
    pickled = pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    assert len(buffers) == 1
    assert len(pickled) < 1000
    assert_same(pickle.loads(pickled, buffers=buffers), data)


@pytest.mark.parametrize("modalities", [("text", "audio", "visual"), ("text",)])
def test_training_on_it_gives_the_same_bits(
    make_data: MakeData, tiny: CellConfig, anchors: NDArray[np.float32], modalities: tuple[str, ...]
) -> None:
    config = tiny.changed(backbone__modalities=modalities, training__epochs=2)
    data = make_data()
    plain = train_cell(config, data, anchors, seed=3)
    mapped = train_cell(config, ConversationData.from_arrow(data.to_arrow()), anchors, seed=3)
    assert plain.predictions.equals(mapped.predictions)
