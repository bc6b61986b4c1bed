"""Models that turn pictures into vectors, and the first of them: the DenseNet with a user's weights.

Shapes: n pictures of any size, D width of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.extras import optional_module
from fmerl.features.visual.densenet import WIDTH, load_densenet
from fmerl.features.visual.faces import Picture
from fmerl.files import file_digest

FACE_SIDE = 64
"""Pixels of the square grey faces that the DenseNet reads."""


class ImageModel(Protocol):
    """Pictures in, one vector each out."""

    @property
    def width(self) -> int:
        """Width D."""

    def prepared(self, picture: Picture) -> Tensor:
        """The network's input for one RGB picture [h, w, 3]."""

    def vectors(self, prepared: Sequence[Tensor]) -> Tensor:
        """One forward pass, [n, D] on the CPU."""

    def recipe(self) -> dict[str, Any]:
        """All that decides the vectors, as plain JSON."""


class DenseNetFaces:
    """The 342-d DenseNet on 64 x 64 grey faces, scaled to (pixel - mean) / sd and repeated for each of its channels.

    Args:
        weights: Weights file of the user.
        mean: Mean of the pixels, 0 to 255, that the weights were trained on.
        sd: Their standard deviation.
        device: Device to run on.

    Raises:
        InputError: Weights of another network, or no OpenCV.
    """

    width = WIDTH

    def __init__(self, weights: Path, mean: float, sd: float, device: torch.device) -> None:
        self._cv2 = optional_module("cv2", "visual")
        self._network = load_densenet(weights)
        self._network.to(device)
        self._digest = file_digest(weights)
        self._mean, self._sd, self._device = mean, sd, device

    def prepared(self, picture: Picture) -> Tensor:
        grey = self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY)
        larger = min(grey.shape) > FACE_SIDE
        method = self._cv2.INTER_AREA if larger else self._cv2.INTER_LINEAR
        face: NDArray[np.uint8] = self._cv2.resize(grey, (FACE_SIDE, FACE_SIDE), interpolation=method)
        return torch.from_numpy((face.astype(np.float32) - self._mean) / self._sd)

    @torch.inference_mode()
    def vectors(self, prepared: Sequence[Tensor]) -> Tensor:
        faces = torch.stack(list(prepared))[:, None].expand(-1, self._network.channels, -1, -1)
        vectors: Tensor = self._network(faces.to(self._device)).cpu()
        return vectors

    def recipe(self) -> dict[str, Any]:
        return {
            "encoder": "densenet",
            "weights": self._digest,
            "pixels": [FACE_SIDE, self._mean, self._sd],
            "versions": {"cv2": self._cv2.__version__, "torch": torch.__version__},
        }
