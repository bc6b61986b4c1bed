"""Weights for image networks that nobody trained, drawn so that every one of them matters."""

from __future__ import annotations

import torch
from torch import Tensor


def seeded(network: torch.nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """A state_dict drawn so that every parameter and statistic matters: activations stay of order one."""
    generator = torch.Generator().manual_seed(seed)

    def draw(name: str, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        if tensor.ndim > 1:
            return torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5
        if name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
            return 0.5 + torch.rand(tensor.shape, generator=generator)
        return 0.3 * torch.randn(tensor.shape, generator=generator)

    return {name: draw(name, tensor) for name, tensor in network.state_dict().items()}
