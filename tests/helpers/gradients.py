"""Gradients that must be there."""

from __future__ import annotations

from torch import Tensor


def gradient(tensor: Tensor) -> Tensor:
    """Gradient that a backward pass left in a tensor."""
    assert tensor.grad is not None
    return tensor.grad
