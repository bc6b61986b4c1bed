"""DenseNet-BC (Huang et al. 2017, "Densely Connected Convolutional Networks"), depth 100, growth 12, compression .5.

The body of `torchvision.models.DenseNet(growth_rate=12, block_config=(16, 16, 16), num_init_features=24)`, pooled
to 342 numbers: the same parameter names, hence the same weight files, and no classifier. 768,660 parameters.

Shapes: n images, Cin channels, h x w pixels.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from fmerl.errors import InputError

GROWTH, LAYERS_PER_BLOCK, BLOCKS, FIRST_CHANNELS, BOTTLENECK = 12, 16, 3, 24, 4
WIDTH = 342

_STEM = "features.conv0.weight"
_WRAPPER = "module."
_HEAD = "classifier."
_REMEDY = "give a state_dict of torchvision.models.DenseNet(12, (16, 16, 16), 24), as .pt or .safetensors"


class DenseLayer(nn.Sequential):
    """Batch norm, ReLU, 1x1 convolution to 4 * growth; the same with 3x3 to growth; input and output side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = BOTTLENECK * GROWTH
        self.add_module("norm1", nn.BatchNorm2d(channels))
        self.add_module("relu1", nn.ReLU(inplace=True))
        self.add_module("conv1", nn.Conv2d(channels, inner, kernel_size=1, bias=False))
        self.add_module("norm2", nn.BatchNorm2d(inner))
        self.add_module("relu2", nn.ReLU(inplace=True))
        self.add_module("conv2", nn.Conv2d(inner, GROWTH, kernel_size=3, padding=1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, super().forward(x)], dim=1)


class DenseNet(nn.Module):
    """Images [n, Cin, h, w] to vectors [n, 342].

    Args:
        channels: Cin; 768,660 parameters with 3.
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.channels = channels
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(channels, FIRST_CHANNELS, kernel_size=7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(FIRST_CHANNELS),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )
        width = FIRST_CHANNELS
        for block in range(1, BLOCKS + 1):
            layers = {f"denselayer{i + 1}": DenseLayer(width + i * GROWTH) for i in range(LAYERS_PER_BLOCK)}
            parts[f"denseblock{block}"] = nn.Sequential(OrderedDict(layers))
            width += LAYERS_PER_BLOCK * GROWTH
            if block < BLOCKS:
                parts[f"transition{block}"] = _transition(width)
                width //= 2
        parts["norm5"] = nn.BatchNorm2d(width)
        self.features = nn.Sequential(parts)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.features(images)).mean(dim=(2, 3))


def _transition(width: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(width, width // 2, kernel_size=1, bias=False),
            pool=nn.AvgPool2d(kernel_size=2, stride=2),
        )
    )


def load_densenet(weights: Path) -> DenseNet:
    """The network with a user's weights, ready for inference.

    A classifier in the file is not used. The stem's channels are those of the file. Names may start with `module.`,
    and the state may lie under `state_dict`, as trainers leave them.

    Raises:
        InputError: No such file, no state_dict, a tensor that is absent, of another shape or not finite, or one too
            many.
    """
    state = _read_state(weights)
    stem = state.get(_STEM)
    network = DenseNet(stem.shape[1] if stem is not None and stem.ndim == 4 else 3)
    wanted = network.state_dict()
    # Batch counters decide nothing without momentum; old files lack them.
    needed = {name: tensor for name, tensor in wanted.items() if not name.endswith("num_batches_tracked")}
    faults = [f"lacks {name}" for name in needed if name not in state]
    faults += [f"has an unknown {name}" for name in state if name not in wanted]
    for name, tensor in needed.items():
        if name in state and state[name].shape != tensor.shape:
            faults.append(f"has {name} of shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}")
        elif name in state and not state[name].isfinite().all():
            faults.append(f"has a value in {name} that is not finite")
    if faults:
        more = f" and {len(faults) - 1} more faults" if len(faults) > 1 else ""
        raise InputError(weights, f"these are no weights of this DenseNet: the file {faults[0]}{more}", _REMEDY)
    network.load_state_dict({**wanted, **state})
    return network.eval().requires_grad_(False)


def _read_state(weights: Path) -> dict[str, Tensor]:
    if not weights.is_file():
        raise InputError(weights, "no such file of weights", _REMEDY)
    try:
        if weights.suffix == ".safetensors":
            state: Any = load_file(weights)
        else:
            state = torch.load(weights, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        # PyTorch's own message advises to load the file unsafely.
        what = f"it cannot be read as tensors and nothing else ({type(error).__name__})"
        raise InputError(weights, what, _REMEDY) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(weights, "the file holds no state_dict", _REMEDY)
    named = {str(name).removeprefix(_WRAPPER): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in named.items() if not name.startswith(_HEAD)}
