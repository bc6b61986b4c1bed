"""The regression nets against Eq. 2 and 3 written out by hand."""

from __future__ import annotations

import itertools
from typing import Any, Literal, get_args

import pytest
import reference
import torch
from helpers.gradients import gradient
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fmerl.config import DIMENSIONS, RegressionConfig
from fmerl.model.regression import RegressionNets

LOW, HIGH = 1.0, 5.0
Target = Literal["unit", "literal", "scaled_sigmoid", "linear"]
TARGETS: tuple[Target, ...] = get_args(Target)
DIMENSION_SETS = (DIMENSIONS, ("arousal",), ("dominance", "valence"))
WEIGHTS = {"valence": 0.5, "arousal": 2.0, "dominance": 1.25}


def build(config: RegressionConfig, width: int = 6) -> RegressionNets:
    torch.manual_seed(0)
    return RegressionNets(config, width, (LOW, HIGH))


def example(rows: int = 9, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Representations [N, 6], scores [N, 3] with some NaN and some beyond the range, validity [N]."""
    draw = torch.Generator().manual_seed(seed)
    vad = torch.rand(rows, 3, generator=draw) * 6
    vad[torch.rand(rows, 3, generator=draw) < 0.3] = float("nan")
    return torch.randn(rows, 6, generator=draw), vad, torch.rand(rows, generator=draw) < 0.7


def by_hand(nets: RegressionNets, representation: Tensor) -> Tensor:
    """Eq. 2 net by net: ReLU layers, then one linear value; [N, K]."""
    columns = []
    for name in nets.config.dimensions:
        layers = [layer for layer in nets.nets[name].children() if isinstance(layer, nn.Linear)]
        x = representation.double()
        for depth, layer in enumerate(layers):
            x = x @ layer.weight.detach().double().T + layer.bias.detach().double()
            if depth < len(layers) - 1:
                x = x.clamp(min=0)
        columns.append(x[:, 0])
    return reference.regression_output(torch.stack(columns, 1), nets.config.target, LOW, HIGH)


@pytest.mark.parametrize(
    ("target", "dimensions", "hidden_layers"), list(itertools.product(TARGETS, DIMENSION_SETS, (0, 1, 2)))
)
def test_outputs_equal_eq_2(target: Target, dimensions: tuple[str, ...], hidden_layers: int) -> None:
    nets = build(RegressionConfig(target=target, dimensions=dimensions, hidden_layers=hidden_layers))
    representation, _, _ = example()
    torch.testing.assert_close(
        nets(representation).detach().double(), by_hand(nets, representation), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("target", "dimensions", "reduction"), list(itertools.product(TARGETS, DIMENSION_SETS, ("sum", "mean")))
)
def test_loss_and_its_gradient_equal_eq_3(
    target: Target, dimensions: tuple[str, ...], reduction: Literal["sum", "mean"]
) -> None:
    weights: dict[str, Any] = {f"{name}_weight": weight for name, weight in WEIGHTS.items()}
    nets = build(RegressionConfig(target=target, dimensions=dimensions, reduction=reduction, **weights))
    representation, vad, valid = example()
    ours, theirs = (nets(representation).detach().to(t).requires_grad_() for t in (torch.float32, torch.float64))
    loss = nets.loss(ours, vad, valid)
    expected = reference.regression_loss(
        theirs,
        vad[:, [DIMENSIONS.index(name) for name in dimensions]].tolist(),
        valid.tolist(),
        target=target,
        low=LOW,
        high=HIGH,
        weights=[WEIGHTS[name] for name in dimensions],
        reduction=reduction,
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(gradient(ours).double(), theirs.grad, rtol=1e-5, atol=1e-7)


@given(rows=st.integers(0, 12), seed=st.integers(0, 999), target=st.sampled_from(TARGETS))
def test_loss_is_finite_whatever_is_missing(rows: int, seed: int, target: Target) -> None:
    nets = build(RegressionConfig(target=target))
    representation, vad, valid = example(rows, seed)
    outputs = nets(representation)
    loss = nets.loss(outputs, vad, valid)
    loss.backward()
    expected = reference.regression_loss(
        outputs.detach().double(),
        vad.tolist(),
        valid.tolist(),
        target=target,
        low=LOW,
        high=HIGH,
        weights=[1.0] * 3,
        reduction="sum",
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert all(gradient(parameter).isfinite().all() for parameter in nets.parameters())


def test_without_a_single_score_nothing_is_learned() -> None:
    nets = build(RegressionConfig())
    representation, vad, valid = example()
    for scores, counted in ((torch.full_like(vad, float("nan")), valid), (vad, torch.zeros_like(valid))):
        nets.zero_grad()
        loss = nets.loss(nets(representation), scores, counted)
        loss.backward()
        assert loss.item() == 0
        assert not any(gradient(parameter).any() for parameter in nets.parameters())


def test_without_nets_there_is_no_loss() -> None:
    nets = build(RegressionConfig(dimensions=()))
    representation, vad, valid = example()
    outputs = nets(representation)
    assert outputs.shape == (len(vad), 0)
    assert nets.loss(outputs, vad, valid).item() == 0
    assert nets.scores(outputs).isnan().all()
    assert not list(nets.parameters())


def test_a_perfect_prediction_costs_nothing_and_reads_back_as_the_score() -> None:
    vad = torch.tensor([[1.0, 3.0, 5.0], [2.5, 4.0, 1.5]])
    valid = torch.ones(2, dtype=torch.bool)
    for target in ("unit", "scaled_sigmoid", "linear"):
        nets = build(RegressionConfig(target=target))
        outputs = (vad - LOW) / (HIGH - LOW) if target == "unit" else vad
        assert nets.loss(outputs, vad, valid).item() == pytest.approx(0, abs=1e-12)
        torch.testing.assert_close(nets.scores(outputs), vad)


def test_literal_scores_are_the_sigmoid_itself() -> None:
    nets = build(RegressionConfig(target="literal"))
    representation, _, _ = example()
    outputs = nets(representation)
    assert ((outputs > 0) & (outputs < 1)).all()
    torch.testing.assert_close(nets.scores(outputs), outputs)


def test_scores_stand_in_the_columns_of_their_dimensions() -> None:
    nets = build(RegressionConfig(target="linear", dimensions=("dominance", "valence")))
    scores = nets.scores(torch.tensor([[4.0, 2.0]]))
    assert scores[0, [0, 2]].tolist() == [2.0, 4.0]
    assert scores[0, 1].isnan()
