"""Any image encoder of Hugging Face's Transformers as an `ImageModel`.

Shapes: n pictures of any size, D width of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmerl.errors import InputError
from fmerl.features.hub import from_cache_or_hub, revision
from fmerl.features.visual.faces import Picture

_REMEDY = "give the id of an image encoder at hand, or its folder with weights, config and preprocessor_config.json"
_BLANK: Picture = np.zeros((64, 64, 3), dtype=np.uint8)


class HuggingFaceImages:
    """An image encoder of Transformers with its own preprocessing: its pooled output, else the mean over patches.

    Args:
        name: Hub id or local folder.
        device: Device to run on.

    Raises:
        InputError: No such model, one that reads no images, or a checkpoint that lacks weights.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self._name, self._device = name, device
        try:
            self._processor, self._network, self._pooled, self._revision = _loaded(name)
            self._network.to(device)
            self.width: int = self._forward(self.prepared(_BLANK)[None]).shape[1]
        except Exception as error:  # Transformers raises its parts' errors: OSError, ValueError, KeyError, ...
            what = f"no image encoder can be loaded ({(str(error).splitlines() or [type(error).__name__])[0]})"
            raise InputError(name, what, _REMEDY) from error

    def prepared(self, picture: Picture) -> Tensor:
        return _pixels(self._processor, picture)[0]

    def vectors(self, prepared: Sequence[Tensor]) -> Tensor:
        # Some processors keep the aspect of a picture: pictures of like size share a batch.
        vectors = torch.empty(len(prepared), self.width)
        for shape in {pixels.shape for pixels in prepared}:
            rows = [row for row, pixels in enumerate(prepared) if pixels.shape == shape]
            vectors[rows] = self._forward(torch.stack([prepared[row] for row in rows]))
        return vectors

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Tensor:
        """Vectors [n, D] on the CPU from [n, 3, h, w]."""
        output = self._network(pixel_values=pixels.to(self._device))
        if self._pooled:
            return output.pooler_output.flatten(1).cpu()
        hidden = output.last_hidden_state
        if hidden.ndim == 4:
            return hidden.mean(dim=(2, 3)).cpu()
        # Class and register tokens come first.
        patches = _patches(self._network.config, pixels.shape[2:])
        return hidden[:, -patches:].mean(dim=1).cpu()

    def recipe(self) -> dict[str, Any]:
        import transformers

        return {
            "encoder": self._name,
            "revision": self._revision,
            "pooling": "pooled" if self._pooled else "mean",
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }


def _loaded(name: str) -> tuple[Any, Any, bool, str]:
    """Image processor, float32 model, whether it has a trained pooler, and commit or digest of its files."""
    from transformers import AutoImageProcessor, AutoModel

    def load(**options: Any) -> tuple[Any, Any, Any]:
        processor = AutoImageProcessor.from_pretrained(name, **options)
        network, report = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **options)
        return processor, network, report

    processor, network, report = from_cache_or_hub(name, load)
    if network.main_input_name != "pixel_values":
        raise ValueError(f"the model reads {network.main_input_name}, not pixel_values")
    untrained = sorted(report["missing_keys"])
    pooled = not any("pooler" in key for key in untrained)
    absent = [key for key in untrained if "pooler" not in key]
    if absent:
        raise ValueError(f"the checkpoint lacks {len(absent)} weights, the first is {absent[0]}")
    network.eval().requires_grad_(False)
    with torch.inference_mode():
        output = network(pixel_values=_pixels(processor, _BLANK))
    pooled = pooled and getattr(output, "pooler_output", None) is not None
    return processor, network, pooled, revision(name)


def _pixels(processor: Any, picture: Picture) -> Tensor:
    """The network's input, [1, 3, h, w]."""
    pixels: Tensor = processor(images=[picture], return_tensors="pt", input_data_format="channels_last")["pixel_values"]
    return pixels


def _patches(config: Any, size: Sequence[int]) -> int:
    """Number of last tokens that are patches of a picture of this size; 0, hence all, where there are no patches."""
    patch = getattr(config, "patch_size", None)
    if patch is None:
        return 0
    height, width = (patch, patch) if isinstance(patch, int) else patch
    return (size[0] // height) * (size[1] // width)
