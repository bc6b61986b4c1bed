"""Attention to the past alone: no output depends on later turns, so a dialogue may come turn by turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fmerl.config import CellConfig
from fmerl.config.systems import BIDIRECTIONAL
from fmerl.model import SYSTEMS, System
from fmerl.model.batch import Batch
from fmerl.model.cache import KeyValueCache
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import predict
from fmerl.training.loop import build_model

MakeData = Callable[..., ConversationData]
CPU = torch.device("cpu")
LIVE = [name for name in SYSTEMS if name not in BIDIRECTIONAL]
ALL = ("text", "audio", "visual")


def past(config: CellConfig, name: str = "FMERL", **changes: object) -> CellConfig:
    return config.changed(system__name=name, backbone__attention="past", **changes)


def load(data: ConversationData, config: CellConfig) -> BatchLoader:
    return BatchLoader(data, config.tables, config.training, CPU)


def outputs(model: System, data: ConversationData) -> Tensor:
    """Scores and VAD side by side, in the rows' own order."""
    return torch.tensor(np.hstack(predict(model, load(data, model.config))))


def changed_after(data: ConversationData, turn: int) -> ConversationData:
    """Every dialogue with other features, speakers and missing flags after a turn."""
    later = np.concatenate([np.arange(length) > turn for length in np.diff(data.offsets)])
    missing = {name: np.where(later, ~flags, flags) for name, flags in data.missing.items()}
    features = {
        name: np.where(missing[name][:, None], 0, values + 3 * later[:, None]).astype(np.float32)
        for name, values in data.features.items()
    }
    return replace(
        data, features=features, missing=missing, speaker=np.where(later, 1 - data.speaker % 2, data.speaker)
    )


def cut_after(data: ConversationData, turn: int) -> ConversationData:
    """Every dialogue without what follows a turn."""
    lengths = np.minimum(np.diff(data.offsets), turn + 1)
    rows = np.concatenate([start + np.arange(n) for start, n in zip(data.offsets[:-1], lengths, strict=True)])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return data._take(rows, offsets, data.split)


def known(data: ConversationData, turn: int) -> np.ndarray:
    """Rows up to a turn."""
    return np.concatenate([np.arange(length) <= turn for length in np.diff(data.offsets)])


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_attends_to_the_past_alone_or_refuses_to(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str
) -> None:
    """A system that refuses sees later turns, whatever its attention; one that does not refuse never sees any."""
    data, turn = make_data(((5, 1, 3, 5, 4),)), 2
    before, after = known(data, turn), changed_after(data, turn)
    full = build_model(tiny.changed(system__name=name, system__multiemo__layers=1), data, anchors, 0).eval()
    moved = (outputs(full, after) - outputs(full, data))[before].nan_to_num().abs().max()
    if name in BIDIRECTIONAL:
        assert moved > 1e-4
        with pytest.raises(ValueError, match=f"^backbone.attention cannot be past: {name} reads"):
            past(tiny, name)
        return
    assert (moved > 1e-4) == (name not in ("majority", "MLP"))
    model = build_model(past(tiny, name), data, anchors, 0).eval()
    wanted = outputs(model, data)[before]
    torch.testing.assert_close(outputs(model, after)[before], wanted, rtol=0, atol=1e-5, equal_nan=True)
    torch.testing.assert_close(outputs(model, cut_after(data, turn)), wanted, rtol=0, atol=1e-5, equal_nan=True)


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    turn=st.integers(0, 5),
    modalities=st.sets(st.sampled_from(ALL), min_size=1).map(sorted),
    gate=st.sampled_from(["learned", "identity"]),
)
def test_no_turn_depends_on_later_ones_whatever_the_lengths(
    make_data: MakeData,
    tiny: CellConfig,
    anchors: np.ndarray,
    lengths: list[int],
    turn: int,
    modalities: list[str],
    gate: str,
) -> None:
    config = past(tiny, backbone__modalities=tuple(modalities), backbone__unimodal_gate=gate)
    data = make_data((lengths,))
    model = build_model(config, data, anchors, 0).eval()
    wanted = outputs(model, data)[known(data, turn)]
    for other in (changed_after(data, turn), data):
        cut = cut_after(other, turn)
        torch.testing.assert_close(outputs(model, cut), wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(outputs(model, changed_after(data, turn))[known(data, turn)], wanted, rtol=0, atol=1e-5)


def test_a_turn_is_the_last_one_of_a_whole_dialogue(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    """At each turn it is full attention over the dialogue so far, which is held to SDT's equations."""
    data = make_data(((6, 6, 2),))
    one_way, whole = past(tiny), tiny
    models = [build_model(config, data, anchors, 0).eval() for config in (one_way, whole)]
    found = outputs(models[0], data)
    for turn in range(6):
        cut = cut_after(data, turn)
        last = np.concatenate([np.arange(n) == turn for n in np.diff(cut.offsets)])
        rows = np.concatenate([np.arange(n) == turn for n in np.diff(data.offsets)])
        torch.testing.assert_close(found[rows], outputs(models[1], cut)[last], rtol=0, atol=1e-5)


def test_no_gradient_comes_from_later_turns(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data(((5,),), missing=0.0)
    config = past(tiny, backbone__dropout=0.5)
    model = build_model(config, data, anchors, 0).train()
    (batch,) = load(data, config).in_order()
    batch.features["text"].requires_grad_()
    model(batch).scores[2].sum().backward()
    grown = batch.features["text"].grad
    assert grown is not None
    assert (grown.abs().amax(1) > 0).tolist() == [True, True, True, False, False]
    assert all(value.grad.isfinite().all() for value in model.parameters() if value.grad is not None)


def part(batch: Batch, start: int, end: int, cache: KeyValueCache) -> Batch:
    """Some turns of the only dialogue of a batch."""
    rows = slice(start, end)
    return replace(
        batch,
        features={name: values[rows] for name, values in batch.features.items()},
        present={name: values[rows] for name, values in batch.present.items()},
        runs=((1, end - start),),
        cache=cache,
        **{name: getattr(batch, name)[rows] for name in ("speaker", "position", "label", "vad", "rows")},
    )


@torch.inference_mode()
def in_parts(model: System, batch: Batch, ends: list[int]) -> Tensor:
    cache, found = KeyValueCache(), []
    for start, end in zip([0, *ends], ends, strict=False):
        output = model(part(batch, start, end, cache))
        found.append(torch.cat([output.scores, model.vad_scores(output)], dim=1))
        cache.keep(end - start)
    return torch.cat(found)


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize("modalities", [ALL, ("text",)], ids=len)
def test_turn_by_turn_is_all_at_once(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str, modalities: tuple[str, ...]
) -> None:
    config = past(tiny, name, backbone__modalities=modalities)
    data = make_data(((9,),), cast=5)
    model = build_model(config, data, anchors, 0).eval()
    (batch,) = load(data, config).in_order()
    wanted = outputs(model, data)
    for ends in (list(range(1, 10)), [4, 5, 9], [9]):
        torch.testing.assert_close(in_parts(model, batch, ends), wanted, rtol=0, atol=1e-5, equal_nan=True)


def test_a_conversation_may_outgrow_buffer_and_position_table(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    config, data = past(tiny), make_data(((530,),))
    model = build_model(config, data, anchors, 0).eval()
    (batch,) = load(data, config).in_order()
    ends = [50, 65, *range(200, 500, 100), *range(510, 531)]
    found = in_parts(model, batch, ends)
    fresh = build_model(config, data, anchors, 0).eval()
    torch.testing.assert_close(found, outputs(fresh, data), rtol=0, atol=1e-5)


def test_turns_that_are_not_kept_are_written_over() -> None:
    cache = KeyValueCache()
    first, broken, second = torch.randn(3, 2, 1, 3).unbind()
    cache.extend(first, first)
    cache.keep(1)
    cache.extend(broken, broken)
    keys, values = cache.extend(second, -second)
    assert torch.equal(keys, torch.cat([first, second], dim=1))
    assert torch.equal(values, torch.cat([first, -second], dim=1))
    assert cache.turns == 1
