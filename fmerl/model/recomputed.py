"""Products and attention on CPU that keep what their input was made of, which they make again in the backward pass.

What lies between two products of the backbone (normalisation, activation, dropout, gates) takes a few passes over
memory. Autograd keeps every one of them, some fifteen activations of each encoder; six are enough.

Shapes: P encoders, N utterances, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_WORTHWHILE = 2**20
"""Activations of which keeping costs more than the calls that it takes to make them again."""


def worthwhile(x: Tensor) -> bool:
    """Whether what is made of `x` had better be made twice. Not on a GPU, whose step is short of time, not memory."""
    return (
        torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.numel() >= _WORTHWHILE
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def product_of(make: Callable[..., Tensor], sources: Sequence[Tensor], weight: Tensor, bias: Tensor | None) -> Tensor:
    """make(*sources) @ weight + bias, [P, N, D_in] -> [P, N, D_out], without keeping what `make` gives.

    Args:
        make: Gives [1, N, D_in] of one copy's share of each source. It may draw from PyTorch's default generator, and
            has no other side effects.
        sources: All tensors with a gradient that `make` reads, each P times as long as one copy's share.
        weight: [P, D_in, D_out].
        bias: [P, 1, D_out].
    """
    product: Tensor = _ProductOf.apply(make, weight, bias, *sources)
    return product


def by_parts(make: Callable[..., Tensor], x: Tensor, sizes: Sequence[int], *given: Sequence[Any]) -> Tensor:
    """make(part, *given of the part) of each part of `x` along dimension 1, joined; nothing but `x` is kept.

    Args:
        make: Keeps the length of dimension 1; else as in `product_of`.
        x: [M, N, ...].
        sizes: Of the parts; their sum is N.
        given: Further arguments, a sequence with one item for each part.
    """
    made: Tensor = _ByParts.apply(make, x, sizes, list(zip(*given, strict=True)))
    return made


class _ProductOf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, make: Callable[..., Tensor], weight: Tensor, bias: Tensor | None, *sources: Tensor) -> Tensor:
        ctx.make, ctx.drawn_from = make, torch.get_rng_state()
        ctx.save_for_backward(weight, *sources)
        copies, _, width = weight.shape
        product: Tensor | None = None
        for copy, parts in enumerate(_by_copy(sources, copies)):
            made = make(*parts)[0]
            if product is None:
                product = made.new_empty(copies, len(made), width)
            if bias is None:
                torch.mm(made, weight[copy], out=product[copy])
            else:
                torch.addmm(bias[copy], made, weight[copy], out=product[copy])
        assert product is not None
        return product

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *sources = ctx.saved_tensors
        of_weight, of_sources = torch.empty_like(weight), [torch.empty_like(source) for source in sources]
        given = (_by_copy(tensors, len(weight)) for tensors in (sources, of_sources))
        with _again(ctx.drawn_from):
            for copy, (parts, of_parts) in enumerate(zip(*given, strict=True)):
                parts = [part.detach().requires_grad_() for part in parts]
                made = ctx.make(*parts)
                torch.mm(made[0].detach().T, gradient[copy], out=of_weight[copy])
                found = torch.autograd.grad(made, parts, torch.mm(gradient[copy], weight[copy].T).unsqueeze(0))
                for of_part, value in zip(of_parts, found, strict=True):
                    of_part.copy_(value)
        of_bias = gradient.sum(1, keepdim=True) if ctx.needs_input_grad[2] else None
        return None, of_weight, of_bias, *of_sources


def _by_copy(sources: Sequence[Tensor], copies: int) -> Iterator[tuple[Tensor, ...]]:
    """Of each copy of the layer, its share of each source along dimension 0."""
    return zip(*(source.split(len(source) // copies) for source in sources), strict=True)


class _ByParts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, make: Callable[..., Tensor], x: Tensor, sizes: Sequence[int], given: Sequence[Sequence[Any]]
    ) -> Tensor:
        ctx.make, ctx.sizes, ctx.given, ctx.drawn_from = make, sizes, given, torch.get_rng_state()
        ctx.save_for_backward(x)
        return torch.cat([make(part, *more) for part, more in zip(x.split(sizes, 1), given, strict=True)], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        of_x = torch.empty_like(x)
        parts = (tensor.split(ctx.sizes, 1) for tensor in (x, gradient, of_x))
        with _again(ctx.drawn_from):
            for part, of_made, of_part, more in zip(*parts, ctx.given, strict=True):
                part = part.detach().requires_grad_()
                of_part.copy_(*torch.autograd.grad(ctx.make(part, *more), part, of_made))
        return None, of_x, None, None


@contextmanager
def _again(drawn_from: Tensor) -> Iterator[None]:
    """Draws come as they did from that state of the default generator, and leave no trace in it."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.set_rng_state(drawn_from)
        yield
