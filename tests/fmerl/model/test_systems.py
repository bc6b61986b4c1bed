"""What every system must be able to do, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from fmerl.config import CellConfig
from fmerl.config.systems import SETTINGS
from fmerl.model import SYSTEMS, System
from fmerl.model.batch import Batch
from fmerl.training.batching import BatchLoader
from fmerl.training.cell import CellResult, train_cell
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import predict
from fmerl.training.loop import build_model

MakeData = Callable[..., ConversationData]
CPU = torch.device("cpu")
LEARNING = [name for name in SYSTEMS if name != "majority"]
SLOW = "MultiEMO"
"""Its LayerNorms after each residual sum make it learn late."""
STEPWISE = {"training__batch_size": 10, "training__learning_rate": 0.01}
"""Fewer and larger steps for COSMIC and CKCL, which take a dialogue turn by turn."""
every_system = pytest.mark.parametrize("name", SYSTEMS)


def configured(config: CellConfig, name: str, **changes: object) -> CellConfig:
    return config.changed(system__name=name, system__multiemo__layers=1, **changes)


def load(data: ConversationData, config: CellConfig) -> BatchLoader:
    return BatchLoader(data, config.tables, config.training, CPU)


def whole(data: ConversationData, config: CellConfig) -> Batch:
    (batch,) = load(data, config).in_order(10_000)
    return batch


def trained(config: CellConfig, data: ConversationData, anchors: np.ndarray) -> CellResult:
    return train_cell(config, data, anchors, seed=0, device=CPU)


def gradients(model: System, batch: Batch, seed: int = 0) -> dict[str, Tensor]:
    """Of one training step with known dropout masks, by parameter."""
    torch.manual_seed(seed)
    model.train().zero_grad()
    model.loss(model(batch), batch).total.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


@every_system
@pytest.mark.parametrize("modalities", [("text", "audio", "visual"), ("text",)], ids=len)
def test_gradient_reaches_every_parameter(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str, modalities: tuple[str, ...]
) -> None:
    config = configured(tiny, name, backbone__modalities=modalities)
    data = make_data().subset("train")
    model = build_model(config, data, anchors, 0)
    # A part of the training split: over all of it the class frequencies are the optimum and have no gradient.
    batch = next(iter(load(data, config).in_order(20)))
    found = gradients(model, batch)
    for parameter, _ in model.named_parameters():
        assert found[parameter].isfinite().all(), parameter
        assert found[parameter].any(), parameter


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("modalities", [("text", "audio", "visual"), ("text",)], ids=len)
def test_it_learns_a_synthetic_corpus(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str, modalities: tuple[str, ...]
) -> None:
    data = make_data(((6,) * 40, (6,) * 8, (6,) * 12), noise=0.5, missing=0.05)
    changes = STEPWISE if name in SETTINGS["cosmic"] else {"training__epochs": 16 if name == SLOW else 8}
    config = configured(tiny.changed(training__epochs=8), name, backbone__modalities=modalities, **changes)
    gold = data.subset("test").label
    majority = np.bincount(gold[gold >= 0]).max() / (gold >= 0).sum()
    assert trained(config, data, anchors).metrics["test_accuracy"] > majority + 0.2


def test_majority_is_the_majority(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data()
    train = data.subset("train").label
    result = trained(configured(tiny, "majority"), data, anchors)
    expected = data.classes[np.bincount(train[train >= 0]).argmax()]
    assert set(result.predictions["predicted"].to_pylist()) == {expected}


@every_system
def test_a_seed_gives_the_same_bits(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str) -> None:
    config, data = configured(tiny, name, training__epochs=2), make_data()
    first, second = (trained(config, data, anchors) for _ in range(2))
    assert first.predictions.equals(second.predictions)
    assert all(torch.equal(value, second.weights[key]) for key, value in first.weights.items())


@every_system
def test_utterances_without_a_label_do_not_matter_to_the_loss(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str
) -> None:
    config, data = configured(tiny, name), make_data()
    model = build_model(config, data, anchors, 0).eval()
    batch = whole(data, config)
    unlabelled = batch.label < 0
    output = model(batch)
    poisoned = type(output)(*(poison(field, unlabelled) for field in output))
    vad = torch.where(unlabelled.unsqueeze(1), 99.0, batch.vad)
    losses = [model.loss(output, batch), model.loss(poisoned, replace(batch, vad=vad))]
    assert torch.equal(*(torch.stack(each) for each in losses))


def poison(field: Tensor, rows: Tensor) -> Tensor:
    poisoned = field.clone()
    poisoned[rows] = 1e3
    return poisoned


@every_system
def test_a_batch_without_labels_moves_nothing(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str
) -> None:
    config = configured(tiny, name)
    model = build_model(config, make_data(), anchors, 0)
    silent = whole(make_data(context_only=1.0), config)
    for parameter, gradient in gradients(model, silent).items():
        if not parameter.startswith(
            ("shared", "from_anchor_space")
        ):  # EACL's anchors part from each other all the same
            assert not gradient.any(), parameter


@every_system
def test_a_dialogue_is_predicted_alike_whatever_shares_its_batch(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str
) -> None:
    config, data = configured(tiny, name), make_data()
    model = build_model(config, data, anchors, 0).eval()
    together = predict(model, load(data, config)).scores
    alone = np.empty_like(together)
    with torch.inference_mode():
        for batch in load(data, config).in_order(1):
            alone[batch.rows] = model(batch).scores
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)


@every_system
def test_every_output_has_a_row_per_utterance(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str
) -> None:
    config, data = configured(tiny, name), make_data()
    model, batch = build_model(config, data, anchors, 0), whole(data, config)
    for mode in (True, False):
        output = model.train(mode)(batch)
        assert all(len(field) == len(data.label) for field in output)
        assert output.scores.shape == (len(data.label), len(data.classes))
    vad = model.vad_scores(output)
    assert vad.shape == (len(data.label), 3)
    assert vad.isnan().all() == (name != "FMERL")


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "FMERL"])
def test_an_unseen_class_is_neither_learned_from_nor_predicted(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, name: str
) -> None:
    data = make_data()
    config = configured(tiny, name, training__unseen_classes=("class 2",), training__epochs=2)
    result = trained(config, data, anchors)
    scores = np.array(result.predictions["scores"].to_pylist())
    assert np.isfinite(scores).all()
    assert "class 2" not in result.predictions["predicted"].to_pylist()
    assert all(value.isfinite().all() for value in result.weights.values())
    assert "class 2" in result.predictions["gold"].to_pylist()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "GPT", "name must be one of FMERL, majority"),
        ("sdt__temperature", 0.0, "temperature must be positive"),
        ("eacl__temperature", float("nan"), "temperature must be a finite number"),
        ("multiemo__layers", 0, "at least 1"),
        ("multiemo__contrastive_weight", 0.7, "leave some of 1"),
    ],
)
def test_settings_without_sense_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CellConfig().changed(**{f"system__{field}": value})
