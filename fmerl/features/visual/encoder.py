"""Visual features (Section 4.2): the mean over a speaker's face, frame by frame, is one vector per utterance.

Video decoding -> at most `frames` strided frames -> face -> frozen network -> mean. The paper's network is
DenseNet-BC(100, 12), 342-d, in the literature trained on FER+.

Shapes: n utterances, D width of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from fmerl.errors import InputError
from fmerl.extras import optional_module
from fmerl.features.encoder import Encoded, Item
from fmerl.features.media import MediaError
from fmerl.features.visual.faces import Faces, cropper_recipe, face_cropper
from fmerl.features.visual.hub_images import HuggingFaceImages
from fmerl.features.visual.image_models import DenseNetFaces, ImageModel
from fmerl.features.visual.video import read_frames

DENSENET = "densenet"

_READER = 2
"""Version of the choice of frames, raised when the same file may give others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VisualSpec:
    """Recipe of visual features.

    Example:
        >>> spec = VisualSpec(encoder="google/vit-base-patch16-224", faces="none")
    """

    encoder: str = DENSENET
    """`densenet`, or a Hugging Face id or folder of an image encoder."""
    weights: Path | None = None
    """Weights of the DenseNet: a state_dict, as .pt or .safetensors. It has no default."""
    faces: Faces = "haar"
    """Face detection: by OpenCV's Haar cascade, in the centre, or none, so that the whole picture counts."""
    frames: int = 20
    """Most frames read of an utterance."""
    batch_size: int = 32
    """Faces per forward pass, of one utterance or several."""
    pixel_mean: float = 0.0
    """Mean of the pixels, 0 to 255, that the DenseNet's weights were trained on."""
    pixel_sd: float = 255.0
    """Standard deviation of these pixels; 0 and 255 scale pixels to [0, 1]."""

    def __post_init__(self) -> None:
        if self.faces not in get_args(Faces):
            raise ValueError(f"faces must be one of {', '.join(get_args(Faces))}, not {self.faces!r}")
        if min(self.frames, self.batch_size) < 1:
            raise ValueError(f"frames and batch_size must be at least 1, not {self.frames} and {self.batch_size}")
        if self.pixel_sd <= 0:
            raise ValueError(f"pixel_sd must be positive, not {self.pixel_sd}")

    @property
    def modality(self) -> str:
        return "visual"

    @property
    def uses_gpu(self) -> bool:
        return True

    def build(self, device: str = "cpu") -> VisualEncoder:
        """Load network and face detector, the network onto a device.

        Raises:
            InputError: No weights for the DenseNet, weights that are not its own, no such model, or a package that
                is not there.
        """
        return VisualEncoder(self, device)


class VisualEncoder:
    """A frozen network behind a face detector; an utterance without a face is missing, with the reason."""

    modality = "visual"
    columns = None

    def __init__(self, spec: VisualSpec, device: str) -> None:
        self.spec = spec
        self._av = optional_module("av", "visual")
        self._crop = face_cropper(spec.faces)
        self._model = _image_model(spec, torch.device(device))
        self.width: int = self._model.width

    def recipe(self) -> dict[str, Any]:
        """Network and digest of its weights, face detection, frames, and versions of the libraries."""
        model = self._model.recipe()
        versions = {"av": self._av.__version__, **model.pop("versions")}
        if self.spec.faces == "haar":
            versions["cv2"] = optional_module("cv2", "visual").__version__
        read = {"frames": self.spec.frames, "reader": _READER}
        return {**model, **cropper_recipe(self.spec.faces), **read, "versions": versions}

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Mean vectors of n utterances, [n, D]; faces of several utterances share a forward pass."""
        sums = np.zeros((len(items), self.width), dtype=np.float64)
        counts = np.zeros(len(items), dtype=np.int64)
        problems: list[str | None] = []
        waiting: list[tuple[int, Tensor]] = []
        for row, item in enumerate(items):
            try:
                faces, problem = self._faces(item)
            except MediaError as error:
                faces, problem = [], str(error)
            problems.append(problem)
            counts[row] = len(faces)
            waiting += [(row, face) for face in faces]
            while len(waiting) >= self.spec.batch_size:
                self._add(waiting[: self.spec.batch_size], sums)
                waiting = waiting[self.spec.batch_size :]
        if waiting:
            self._add(waiting, sums)
        values = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        bad = ~np.isfinite(values).all(axis=1)
        for row in np.flatnonzero(bad).tolist():
            problems[row] = "the network gives values that are not finite"
        values[bad] = 0
        return Encoded(values, bad | (counts == 0), tuple(problems))

    def _add(self, batch: Sequence[tuple[int, Tensor]], sums: np.ndarray) -> None:
        vectors = self._model.vectors([face for _, face in batch]).numpy()
        np.add.at(sums, [row for row, _ in batch], vectors.astype(np.float64))

    def _faces(self, item: Item) -> tuple[list[Tensor], str | None]:
        """The network's input for each frame with a face, and their oddities."""
        pictures, odd = read_frames(item.media, frames=self.spec.frames, start=item.start, end=item.end, side=item.side)
        crops = [crop for picture in pictures if (crop := self._crop(picture)) is not None]
        if not crops:
            raise MediaError(f"no face in any of {len(pictures)} frames" + ("" if odd is None else f"; {odd}"))
        if len(crops) < len(pictures) / 2:
            told = f"a face in {len(crops)} of {len(pictures)} frames only, whose mean this is"
            odd = told if odd is None else f"{odd}; {told}"
        return [self._model.prepared(crop) for crop in crops], odd


def _image_model(spec: VisualSpec, device: torch.device) -> ImageModel:
    if spec.encoder != DENSENET:
        if spec.weights is not None:
            raise InputError(str(spec.weights), f"only {DENSENET} takes a file of weights", "leave it out")
        return HuggingFaceImages(spec.encoder, device)
    if spec.weights is None:
        remedy = "give a state_dict that was trained on faces, or name a Hugging Face image encoder"
        raise InputError(DENSENET, "no weights are given, and none come with this project", remedy)
    return DenseNetFaces(spec.weights, spec.pixel_mean, spec.pixel_sd, device)
