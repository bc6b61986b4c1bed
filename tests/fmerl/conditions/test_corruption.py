"""Corrupted features are those that a condition promises, the same for every cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from fmerl.conditions.condition import parse_conditions
from fmerl.conditions.corruption import corrupted_test
from fmerl.conditions.predictions import predict_under
from fmerl.config import CellConfig
from fmerl.training.batching import BatchLoader
from fmerl.training.cell import train_cell
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import predict
from fmerl.training.loop import build_model

MakeData = Callable[..., ConversationData]
CPU = torch.device("cpu")


def corrupted(data: ConversationData, text: str) -> ConversationData:
    (condition,) = parse_conditions([text])
    return corrupted_test(data, condition)


def test_a_delay_takes_the_features_of_an_earlier_turn(make_data: MakeData) -> None:
    data = make_data()
    test, late = data.subset("test"), corrupted(data, "audio:delay=2")
    for start, end in zip(test.offsets, test.offsets[1:], strict=False):
        for row in range(start, end):
            if row - 2 < start:
                assert late.missing["audio"][row]
                assert not late.features["audio"][row].any()
            else:
                assert late.missing["audio"][row] == test.missing["audio"][row - 2]
                np.testing.assert_array_equal(late.features["audio"][row], test.features["audio"][row - 2])
    for name in ("text", "visual"):
        np.testing.assert_array_equal(late.features[name], test.features[name])
        np.testing.assert_array_equal(late.missing[name], test.missing[name])


@pytest.mark.parametrize("decibels", [-10, 0, 20])
def test_noise_has_the_power_that_its_ratio_says_in_any_unit(make_data: MakeData, decibels: int) -> None:
    data = make_data(((9,) * 30, (9,) * 2, (9,) * 400))
    test, text = data.subset("test"), f"audio:snr={decibels}"
    present = ~test.missing["audio"]
    train = data.subset("train")
    centre = train.features["audio"][~train.missing["audio"]].mean(axis=0)
    signal = np.square(test.features["audio"][present] - centre).mean(axis=0)
    noise = (corrupted(data, text).features["audio"] - test.features["audio"])[present]
    measured = 10 * np.log10(signal / np.square(noise).mean(axis=0))
    np.testing.assert_allclose(measured, decibels, atol=0.3)  # of some 2,900 draws
    assert not corrupted(data, text).features["audio"][~present].any()
    # Another scale and origin of a column are other units: the noise follows the scale.
    unit = np.array([1, 10, 100, 0.1, 5], dtype=np.float32)
    moved = np.where(data.missing["audio"][:, None], 0, data.features["audio"] * unit + 3).astype(np.float32)
    other = replace(data, features={**data.features, "audio": moved})
    np.testing.assert_allclose(
        (corrupted(other, text).features["audio"] - other.subset("test").features["audio"])[present] / unit,
        noise,
        rtol=1e-3,
        atol=1e-4,
    )


def test_noise_is_the_same_always_and_scales_with_the_ratio(make_data: MakeData) -> None:
    data = make_data()
    clean = data.subset("test").features["text"]
    weak, strong = (corrupted(data, f"text:snr={decibels}").features["text"] - clean for decibels in (20, 0))
    np.testing.assert_allclose(strong, 10 * weak, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(corrupted(data, "text:snr=0").features["text"] - clean, strong)
    other = corrupted(data, "audio+text:snr=0")
    np.testing.assert_array_equal(other.features["text"] - clean, strong)
    # Cells that are tested years apart are still pairs: the draws of a NumPy to come must be these.
    draws = np.random.default_rng(0).standard_normal(3)
    np.testing.assert_allclose(draws, [0.12573022, -0.13210486, 0.64042265], atol=1e-8)


def test_a_larger_share_drops_what_a_smaller_one_does_and_more(make_data: MakeData) -> None:
    data = make_data(((9,) * 3, (9,) * 2, (9,) * 200), missing=0.0)
    third, half, whole = (corrupted(data, f"visual:drop={share}").missing["visual"] for share in (0.3, 0.5, 1))
    assert not (third & ~half).any()
    assert third.mean() == pytest.approx(0.3, abs=0.04)
    assert half.mean() == pytest.approx(0.5, abs=0.04)
    assert whole.all()
    assert not corrupted(data, "visual:drop").features["visual"].any()


def test_a_cell_is_tested_with_its_weights_on_what_was_corrupted(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    result = train_cell(tiny, data, anchors, 0, device=CPU)
    conditions = parse_conditions(["audio:drop", "audio:snr=0", "text:delay=1"])
    tables = predict_under(conditions, tiny, data, anchors, 0, result.weights, CPU)
    assert [set(table["condition"].to_pylist()) for table in tables] == [
        {"audio masked"},
        {"audio:snr=0"},
        {"text:delay=1"},
    ]
    unread = replace(
        data,
        features={**data.features, "audio": np.zeros_like(data.features["audio"])},
        missing={**data.missing, "audio": np.ones_like(data.missing["audio"])},
    ).subset("test")
    model = build_model(tiny, data.subset("train"), anchors, 0)
    model.load_state_dict(result.weights)
    expected = predict(model, BatchLoader(unread, tiny.tables, tiny.training, CPU))
    np.testing.assert_array_equal(np.array(tables[0]["scores"].to_pylist(), dtype=np.float32), expected.scores)
    clean = result.predictions.filter(pa.compute.field("split") == "test")
    assert all(table["utterance_id"].equals(clean["utterance_id"]) for table in tables)
    assert not any(table["scores"].equals(clean["scores"]) for table in tables)


def test_a_model_that_does_not_read_the_modality_is_not_changed(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data, deaf = make_data(), tiny.changed(backbone__modalities=("text",), training__epochs=1)
    result = train_cell(deaf, data, anchors, 0, device=CPU)
    (table,) = predict_under(parse_conditions(["audio:snr=0"]), deaf, data, anchors, 0, result.weights, CPU)
    clean = result.predictions.filter(pa.compute.field("split") == "test")
    assert table.drop_columns("condition").equals(clean)
