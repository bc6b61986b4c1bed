"""Stacked layers as the single ones they stand for, and dropout's share and scale."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from fmerl.model import layers
from fmerl.model.layers import Dropout, StackedLinear


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("large", [1, 10**9], ids=["one by one", "batched"])
def test_stacked_linear_is_a_linear_layer_per_copy(bias: bool, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_LARGE", large)
    stacked = StackedLinear(3, 5, 7, bias=bias).double()
    x = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    found = stacked(x)
    for copy in range(3):
        expected = F.linear(
            x[copy], stacked.weight[copy].T, stacked.bias[copy, 0] if stacked.bias is not None else None
        )
        torch.testing.assert_close(found[copy], expected)
    inputs = (x, *stacked.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: stacked(x), inputs)


def test_large_products_have_the_gradients_of_batched_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    stacked, x = StackedLinear(3, 64, 96, bias=True), torch.randn(3, 50, 64, requires_grad=True)
    inputs, gradients = (x, *stacked.parameters()), []
    for large in (1, 10**9):
        monkeypatch.setattr(layers, "_LARGE", large)
        gradients.append(torch.autograd.grad(stacked(x).square().sum(), inputs))
    for one_by_one, batched in zip(*gradients, strict=True):
        torch.testing.assert_close(one_by_one, batched, rtol=1e-5, atol=1e-5 * batched.abs().max().item())


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = torch.ones(1001, 999)
    dropped = Dropout(0.3)(x)
    assert dropped.unique().tolist() == [0, pytest.approx(1 / 0.7, rel=1e-4)]
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1, abs=0.004)
    assert Dropout(0.3).eval()(x) is x
