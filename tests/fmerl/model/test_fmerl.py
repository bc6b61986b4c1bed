"""The whole model: Eq. 10's total, and gradients that stay finite whatever a batch holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
import torch
from helpers.gradients import gradient

from fmerl.config import CellConfig
from fmerl.model import FMERL, ModelInputs
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData

MakeData = Callable[..., ConversationData]


def model_and_batches(data: ConversationData, config: CellConfig, anchors: np.ndarray) -> tuple[FMERL, BatchLoader]:
    torch.manual_seed(0)
    counts = np.bincount(data.label[data.label >= 0], minlength=len(data.classes)).tolist()
    model = FMERL(
        config,
        ModelInputs(
            widths=data.widths(config.backbone.modalities),
            n_speakers=data.n_speakers,
            anchors=torch.tensor(anchors),
            vad_range=data.vad_range,
            train_counts=counts,
        ),
    )
    loader = BatchLoader(data, config.tables, config.training, torch.device("cpu"))
    model.backbone.fit_statistics(loader.features, loader.missing)
    return model.eval(), loader


def test_total_is_eq_10(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    config = tiny.changed(
        contrastive__negative_weight=0.3, contrastive__triple_weight=1.7, contrastive__temperature=1.0
    )
    data = make_data()
    model, loader = model_and_batches(data, config, anchors)
    for batch in loader.in_order():
        output = model(batch)
        losses = model.loss(output, batch)
        valid = batch.label >= 0
        f = model.alignment.to_anchor_space(model.backbone(batch))[valid].detach().double()
        label, e = batch.label[valid].tolist(), torch.tensor(anchors, dtype=torch.float64)
        mse = reference.regression_loss(
            output.vad.detach().double(),
            batch.vad.tolist(),
            valid.tolist(),
            target="unit",
            low=0.0,
            high=5.0,
            weights=[1.0] * 3,
            reduction="sum",
        )
        contrastive = reference.contrastive_loss(
            f, e, label, candidates="unique", temperature=1.0, reduction="mean", weights=[1.0] * 4
        )
        negative = reference.negative_loss(f, e, label, negatives="classes")
        expected = [mse + 1.7 * (contrastive + 0.3 * negative), mse, contrastive, negative]
        assert [x.item() for x in losses] == pytest.approx([x.item() for x in expected], rel=1e-5)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_context_only_utterances_leave_all_finite(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, share: float
) -> None:
    data = make_data(context_only=share)
    model, loader = model_and_batches(data, tiny, anchors)
    model.train()
    for batch in loader.in_order(utterances=6):
        model.zero_grad()
        losses = model.loss(model(batch), batch)
        losses.total.backward()
        assert all(x.isfinite() for x in losses)
        assert all(gradient(parameter).isfinite().all() for parameter in model.parameters())
        if share == 1.0:
            assert [x.item() for x in losses] == [0.0] * 4


def test_scores_of_context_only_utterances_are_not_learned_from(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    poisoned = replace(data, vad=np.where(data.label[:, None] < 0, np.float32(99), data.vad))
    results = []
    for each in (data, poisoned):
        model, loader = model_and_batches(each, tiny.changed(training__batch_size=1000), anchors)
        (batch,) = loader.in_order()
        results.append(torch.stack(model.loss(model(batch), batch)))
    assert torch.equal(*results)


def test_in_training_every_parameter_of_the_model_learns(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    config = tiny.changed(contrastive__learn_temperature=True, training__batch_size=1000)
    model, loader = model_and_batches(make_data(), config, anchors)
    (batch,) = loader.in_order()
    model.train()
    model.loss(model(batch), batch).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("candidates", ["unique", "in_batch"])
def test_a_step_reads_no_value_back_from_the_device(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, candidates: str
) -> None:
    """The meta device has no values to wait for: what asks for one raises."""
    config = tiny.changed(contrastive__candidates=candidates, backbone__dropout=0.3)
    model, loader = model_and_batches(make_data(), config, anchors)
    model.train().to("meta")
    batch = next(loader.in_order())
    tensors: dict[str, Any] = {
        name: value.to("meta") for name, value in vars(batch).items() if isinstance(value, torch.Tensor)
    }
    inputs: dict[str, Any] = {
        name: {key: value.to("meta") for key, value in getattr(batch, name).items()} for name in ("features", "present")
    }
    batch = replace(batch, **tensors, **inputs)
    model.loss(model(batch), batch).total.backward()
    torch.optim.Adam(model.parameters()).step()
    assert all(p.grad is not None and p.grad.device.type == "meta" for p in model.parameters())
