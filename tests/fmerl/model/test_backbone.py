"""The packed, stacked backbone against SDT's padded one written out by hand, and what packing must not change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import reference
import torch
from helpers.gradients import gradient
from torch import Tensor

from fmerl.config import BackboneConfig, TrainingConfig
from fmerl.model.backbone import Backbone
from fmerl.model.batch import Batch
from fmerl.model.layers import Standardizer, sinusoidal_positions
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData

MakeData = Callable[..., ConversationData]
SMALL = BackboneConfig(hidden=8, heads=2)
ALL = ("text", "audio", "visual")


def build(config: BackboneConfig, data: ConversationData, seed: int = 0) -> Backbone:
    """A backbone in evaluation mode whose every parameter is random, norms and null row included."""
    torch.manual_seed(seed)
    backbone = Backbone(config, data.widths(config.modalities), data.n_speakers)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    loader = load(data, config)
    backbone.fit_statistics(loader.features, loader.missing)
    return backbone.eval()


def load(data: ConversationData, config: BackboneConfig, batch_size: int = 1000) -> BatchLoader:
    return BatchLoader(data, config.modalities, TrainingConfig(batch_size=batch_size), torch.device("cpu"))


def whole(data: ConversationData, config: BackboneConfig) -> Batch:
    """All of the data in one batch."""
    (batch,) = load(data, config).in_order()
    return batch


def by_row(backbone: Backbone, data: ConversationData, utterances: int = 1000) -> Tensor:
    """Representations in the rows' own order, [U, D], from batches of at least so many utterances."""
    result = torch.empty(len(data.label), backbone.config.hidden)
    for batch in load(data, backbone.config).in_order(utterances):
        result[batch.rows] = backbone(batch).detach()
    return result


def reference_by_row(backbone: Backbone, state: dict[str, Tensor], data: ConversationData) -> Tensor:
    """What SDT's equations give from the same weights, [U, D] in float64."""
    config, lengths = backbone.config, np.diff(data.offsets)
    dialogues, turns = len(lengths), int(lengths.max())
    mask = torch.zeros(dialogues, turns, dtype=torch.bool)
    speaker = torch.full((dialogues, turns), data.n_speakers)
    features = [
        torch.zeros(dialogues, turns, data.features[m].shape[1], dtype=torch.float64) for m in config.modalities
    ]
    for m, name in enumerate(config.modalities):
        columns = data.features[name].astype(float).T.tolist()
        if name in config.standardize:
            observed = [not absent for absent in data.missing[name].tolist()]
            columns = [reference.standardized(column, observed) for column in columns]
        rows = torch.tensor(columns, dtype=torch.float64).T
        for b, start in enumerate(data.offsets[:-1]):
            for s in range(lengths[b]):
                features[m][b, s] = rows[start + s]
    for b, start in enumerate(data.offsets[:-1]):
        for s in range(lengths[b]):
            mask[b, s] = True
            speaker[b, s] = min(int(data.speaker[start + s]), data.n_speakers)
    sdt = reference.unstack(state, config.modalities, config.heads)
    return reference.fused(sdt, features, speaker, mask)[mask]


def double_state(backbone: Backbone) -> dict[str, Tensor]:
    return {name: value.detach().double().requires_grad_() for name, value in backbone.named_parameters()}


def assert_close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    """Largest difference relative to the largest magnitude."""
    assert ours.shape == theirs.shape
    assert (ours.double() - theirs).abs().max() <= tolerance * theirs.abs().max()


@pytest.mark.parametrize("gate", ["learned", "identity"])
@pytest.mark.parametrize("modalities", [("text",), ("audio",), ("text", "audio"), ("visual", "text"), ALL])
def test_evaluation_equals_sdt_written_by_hand(
    make_data: MakeData, modalities: tuple[str, ...], gate: Literal["learned", "identity"]
) -> None:
    data = make_data().subset("train")
    assert data.speaker.max() > data.n_speakers
    assert data.missing["text"].any()
    backbone = build(replace(SMALL, modalities=modalities, unimodal_gate=gate), data)
    assert_close(by_row(backbone, data), reference_by_row(backbone, double_state(backbone), data).detach())


@pytest.mark.parametrize("lengths", [(1,), (1, 1, 1), (5, 5, 5), (1, 2, 3, 4), (3, 1, 3, 1)])
def test_equals_sdt_whatever_the_lengths(make_data: MakeData, lengths: tuple[int, ...]) -> None:
    data = make_data((lengths,), missing=0.0)
    backbone = build(replace(SMALL, standardize=ALL), data)
    assert_close(by_row(backbone, data), reference_by_row(backbone, double_state(backbone), data).detach())


def test_gradients_equal_those_of_sdt_written_by_hand(make_data: MakeData) -> None:
    data = make_data().subset("test")
    backbone = build(SMALL, data)
    state = double_state(backbone)
    direction = torch.randn(len(data.label), SMALL.hidden, generator=torch.Generator().manual_seed(1))
    batch = whole(data, SMALL)
    (backbone(batch) * direction[batch.rows]).sum().backward()
    (reference_by_row(backbone, state, data) * direction).sum().backward()
    largest = max(gradient(value).abs().max() for value in state.values())
    null = data.n_speakers
    assert not gradient(backbone.speaker.weight)[null].any(), "the null embedding must stay what it is"
    gradient(state["speaker.weight"])[null] = 0
    for name, parameter in backbone.named_parameters():
        assert (gradient(parameter) - gradient(state[name])).abs().max() <= 1e-5 * largest, name


def test_a_dialogue_does_not_depend_on_its_batch(make_data: MakeData) -> None:
    data = make_data()
    backbone = build(SMALL, data)
    together = by_row(backbone, data)
    for utterances in (1, 5, 12):
        assert_close(by_row(backbone, data, utterances), together.double())
    for seed in range(3):
        for batch in load(data, SMALL, 4).shuffled(torch.Generator().manual_seed(seed)):
            assert_close(backbone(batch).detach(), together[batch.rows].double())


def test_an_utterance_depends_on_its_whole_dialogue_and_on_no_other(make_data: MakeData) -> None:
    data = make_data(((4, 4, 2),), missing=0.0)
    backbone = build(SMALL, data)
    text = data.features["text"].copy()
    text[2] += 1.0  # the third turn of the first dialogue
    moved = (by_row(backbone, replace(data, features={**data.features, "text": text})) - by_row(backbone, data)).abs()
    assert (moved[:4].amax(1) > 1e-4).all(), "both earlier and later turns attend to it"
    assert moved[4:].max() < 1e-5


def test_a_missing_modality_hides_its_features(make_data: MakeData) -> None:
    data = make_data(((3, 2),))
    backbone = build(replace(SMALL, standardize=ALL), data)
    features = {name: np.where(data.missing[name][:, None], 9.0, v).astype("f") for name, v in data.features.items()}
    assert torch.equal(by_row(backbone, replace(data, features=features)), by_row(backbone, data))


def test_speakers_beyond_the_embedded_share_the_null_embedding(make_data: MakeData) -> None:
    data = make_data(((6,),))
    backbone = build(SMALL, data)
    overflow = replace(data, speaker=np.where(data.speaker >= data.n_speakers, 77, data.speaker))
    assert torch.equal(by_row(backbone, overflow), by_row(backbone, data))
    swapped = replace(data, speaker=np.where(data.speaker < 2, 1 - data.speaker, data.speaker))
    assert not torch.allclose(by_row(backbone, swapped), by_row(backbone, data), atol=1e-3)
    assert not Backbone(SMALL, data.widths(ALL), 2).speaker.weight[2].any()


def test_dialogues_longer_than_the_position_table(make_data: MakeData) -> None:
    data = make_data(((520, 2),))
    backbone = build(SMALL, data)
    table = sinusoidal_positions(520, SMALL.hidden)
    result = by_row(backbone, data)
    assert torch.equal(backbone.positions[:520], table)
    assert result.isfinite().all()
    for turn in (0, 1, 7, 519):
        # At turn 519 the angle itself, in float32, is known to 3e-5 only.
        assert (table[turn] - reference.position(turn, SMALL.hidden)).abs().max() < 1e-4


@pytest.mark.parametrize("modalities", [("text",), ("text", "audio"), ALL])
def test_every_parameter_learns(make_data: MakeData, modalities: tuple[str, ...]) -> None:
    config = replace(SMALL, modalities=modalities)
    data = make_data(missing=0.0)
    backbone = build(config, data).train()
    backbone(whole(data, config)).square().sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if name == "speaker.weight":
            used = parameter.grad.abs().amax(1) > 0
            assert used.tolist() == [True, True, False]
        elif name == "key_value_query.bias":
            # A constant added to every key moves no softmax: the key's bias is the one part without a gradient.
            parts = parameter.grad.view(len(modalities), len(modalities), 3, -1).abs().amax(-1)
            assert (parts[..., 1:] > 1e-4).all()
        elif name == "key_value_query.weight":
            parts = parameter.grad.view(len(modalities), -1, len(modalities), 3, config.hidden).abs().amax((1, 4))
            assert (parts > 0).all()
        else:
            per_copy = parameter.grad.flatten(1) if parameter.dim() == 3 else parameter.grad.reshape(1, -1)
            assert (per_copy.abs().amax(1) > 0).all(), name


def test_dropout_only_in_training(make_data: MakeData) -> None:
    data = make_data(((3, 4),))
    backbone, batch = build(SMALL, data), whole(data, SMALL)
    assert torch.equal(backbone(batch), backbone(batch))
    backbone.train()
    assert not torch.allclose(backbone(batch), backbone(batch))


def test_standardizer_scales_the_observed_and_zeroes_the_constant() -> None:
    values = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 0.0, 1e-3]) + 1234.5
    standardizer = Standardizer(3)
    assert torch.equal(standardizer(values), values), "unfitted it changes nothing"
    standardizer.fit(values)
    scaled = standardizer(values)
    assert not scaled[:, 1].any()
    assert scaled[:, 0].mean().abs() < 1e-3
    assert scaled[:, 0].std(correction=0) == pytest.approx(1, abs=1e-3)


def test_statistics_come_from_observed_rows_only(make_data: MakeData) -> None:
    data = make_data(((8, 8),), missing=0.5)
    backbone = build(SMALL, data)
    observed = data.features["audio"][~data.missing["audio"]].astype(np.float64)
    fitted = backbone.standardize["audio"]
    assert isinstance(fitted, Standardizer)
    np.testing.assert_allclose(fitted.mean, observed.mean(0), rtol=1e-6)
    np.testing.assert_allclose(fitted.scale, 1 / observed.std(0), rtol=1e-6)
    assert set(backbone.standardize) == {"audio"}


def test_a_modality_that_was_never_observed_changes_nothing_into_nan(make_data: MakeData) -> None:
    data = make_data(((3, 2),))
    never = np.ones_like(data.missing["audio"])
    silent = replace(
        data,
        features={**data.features, "audio": np.zeros_like(data.features["audio"])},
        missing={**data.missing, "audio": never},
    )
    assert by_row(build(SMALL, silent), silent).isfinite().all()
