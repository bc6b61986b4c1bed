"""Layers of the backbone: P independent copies of one layer as one batched matrix product.

Shapes: P copies, N utterances, D width.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class Dropout(nn.Module):
    """Zeroes activations with probability p, rounded to 2^-16, and scales the others so that the mean stays.

    On CPU one 64-bit draw decides four activations: PyTorch's own dropout draws each of them from a Bernoulli, which
    took 9 % of an epoch at width 1024 and 17 % at width 96.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        levels = 2**16
        dropped = min(round(self.p * levels), levels - 1)
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        mask = torch.empty(x.shape, dtype=x.dtype)
        torch.ge(draws[: x.numel()].view(x.shape), dropped - levels // 2, out=mask)
        return x * mask.mul_(levels / (levels - dropped))


class StackedLinear(nn.Module):
    """P linear layers side by side: [P, N, D_in] -> [P, N, D_out], initialised like `nn.Linear`."""

    def __init__(self, copies: int, width_in: int, width_out: int, *, bias: bool) -> None:
        super().__init__()
        bound = 1 / math.sqrt(width_in)
        self.weight = nn.Parameter(torch.empty(copies, width_in, width_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(copies, 1, width_out).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if _one_by_one(x, self.weight):
            product: Tensor = _OneByOne.apply(x, self.weight, self.bias)
            return product
        return torch.bmm(x, self.weight) if self.bias is None else torch.baddbmm(self.bias, x, self.weight)


_LARGE = 2**24
"""Multiply-adds of one product above which the cost of a call is negligible."""


def _one_by_one(x: Tensor, weight: Tensor) -> bool:
    multiply_adds = x.shape[1] * weight.shape[1] * weight.shape[2]
    return x.device.type == "cpu" and multiply_adds >= _LARGE and not torch.is_autocast_enabled("cpu")


class _OneByOne(torch.autograd.Function):
    """Large products on CPU one after the other, each on all threads. A batch of them is dealt over the threads whole:
    of three on two threads the last one leaves a thread idle, and takes a third of the time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        product = x.new_empty(*x.shape[:2], weight.shape[2])
        for copy, out in enumerate(product):
            if bias is None:
                torch.mm(x[copy], weight[copy], out=out)
            else:
                torch.addmm(bias[copy], x[copy], weight[copy], out=out)
        return product

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = torch.empty_like(x), torch.empty_like(weight)
        for copy, part in enumerate(gradient):
            torch.mm(part, weight[copy].T, out=of_x[copy])
            torch.mm(x[copy].T, part, out=of_weight[copy])
        return of_x, of_weight, gradient.sum(1, keepdim=True) if ctx.needs_input_grad[2] else None


class StackedFeedForward(nn.Module):
    """P pre-norm feed-forward blocks D -> D -> D with tanh-GELU, dropout and residual (SDT), [P, N, D] -> same."""

    def __init__(self, copies: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm_weight = nn.Parameter(torch.ones(copies, 1, width))
        self.norm_bias = nn.Parameter(torch.zeros(copies, 1, width))
        self.inner = StackedLinear(copies, width, width, bias=True)
        self.outer = StackedLinear(copies, width, width, bias=True)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        normed = torch.addcmul(self.norm_bias, F.layer_norm(x, x.shape[-1:], eps=1e-6), self.norm_weight)
        hidden = self.dropout(F.gelu(self.inner(normed), approximate="tanh"))
        return x + self.dropout(self.outer(hidden))


class Standardizer(nn.Module):
    """(x - mean) / sd with the training split's statistics; a constant column becomes zeros."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fit(self, values: Tensor) -> None:
        """Take the statistics of [N, D] observed rows; without any, values pass as they are."""
        if not len(values):
            return
        deviation, mean = torch.std_mean(values.double(), dim=0, correction=0)
        # Rounding leaves a constant column a deviation of some ulps of its mean.
        constant = deviation <= 1e-6 * mean.abs().clamp(min=1e-6)
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(constant, 0.0, 1 / deviation))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) * self.scale


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """Vaswani et al. 2017's position encoding, [length, width]: sines on even columns, cosines on odd ones."""
    angle = torch.arange(length).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
