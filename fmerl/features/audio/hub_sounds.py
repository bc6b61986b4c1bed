"""Speech encoders of Hugging Face's Transformers: wav2vec 2.0 and its kin on waves, Whisper's encoder on spectrograms.

Nothing is ever padded but by Whisper itself, which reads 30 s always: normalisation over groups, convolutions over
positions and attention without a mask would let the padding of a batch into a shorter sound's frames.

Shapes: n pieces of sound, S samples, T frames, D width of the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.errors import InputError
from fmerl.features.audio.framing import Framing, Piece
from fmerl.features.audio.layers import Layers, layers_of, named_layers
from fmerl.features.hub import from_cache_or_hub, revision

_REMEDY = "give the id of a speech encoder at hand, or its folder with weights, config and preprocessor_config.json"
_UNUSED = ("masked_spec_embed",)
"""Weights that only training reads."""


class HuggingFaceSounds:
    """A speech encoder of Transformers with its own preprocessing: a weighted mean of layers for each frame.

    A head of the checkpoint, as of a recogniser or of a model class of its own, is left out.

    Args:
        name: Hub id or local folder.
        layers: Layers to read; None is all.
        device: Device to run on.

    Raises:
        InputError: No such model, one that is no speech encoder, a checkpoint that lacks weights, or a layer beyond
            the last.
    """

    def __init__(self, name: str, layers: Layers | None, device: torch.device) -> None:
        self._name, self._device = name, device
        try:
            self._extractor, self._network = _loaded(name)
            self._mel = self._network.main_input_name == "input_features"
            self.framing = _framing(self._extractor, self._network)
            self.width, self._last = _sizes(self._network, self.framing)
            self._revision = revision(name)
        except Exception as error:  # Transformers raises its parts' errors: OSError, ValueError, KeyError, ...
            what = f"no speech encoder can be loaded ({(str(error).splitlines() or [type(error).__name__])[0]})"
            raise InputError(name, what, _REMEDY) from error
        try:
            self._layers = layers_of(layers, self._last)
        except ValueError as error:
            raise InputError(name, str(error), f"choose layers of -1 or 0 to {self._last}, each once") from error
        self._network.to(device)
        self.rate: int = self._extractor.sampling_rate
        self.longest: int | None = self._extractor.n_samples if self._mel else None
        """Most samples at once; None without a limit."""

    def inputs(self, sound: NDArray[np.float32], pieces: Sequence[Piece]) -> Iterator[Tensor]:
        """The network's input for each piece of a sound [S]; waves are normalised over the whole of it."""
        if self._mel:
            for piece in pieces:
                yield self._extracted(sound[piece.start : piece.stop], "input_features")
        else:
            whole = self._extracted(sound, "input_values")
            for piece in pieces:
                yield whole[piece.start : piece.stop].clone()  # a view would hold the whole sound

    @torch.inference_mode()
    def frames(self, inputs: Sequence[Tensor]) -> Tensor:
        """One forward pass over inputs of one shape: frames [n, T, D] on the CPU."""
        inner = any(layer != self._last for layer, _ in self._layers)
        output = self._network(torch.stack(list(inputs)).to(self._device), output_hidden_states=inner)
        # hidden_states[-1] lacks the last normalisation of some networks.
        states = [
            (output.last_hidden_state if layer == self._last else output.hidden_states[layer], weight)
            for layer, weight in self._layers
        ]
        total = sum(weight for _, weight in states)
        mixed: Tensor = sum(state * (weight / total) for state, weight in states)
        return mixed.cpu()

    def recipe(self) -> dict[str, Any]:
        import transformers

        return {
            "encoder": self._name,
            "revision": self._revision,
            "layers": named_layers(self._layers),
            "sampling_rate": self.rate,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }

    def _extracted(self, sound: NDArray[np.float32], name: str) -> Tensor:
        found: Tensor = self._extractor(sound, sampling_rate=self.rate, return_tensors="pt")[name][0]
        return found


def _loaded(name: str) -> tuple[Any, Any]:
    """Feature extractor, and float32 encoder."""
    from transformers import AutoFeatureExtractor, AutoModel, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

    def load(**options: Any) -> tuple[Any, Any, Any]:
        extractor = AutoFeatureExtractor.from_pretrained(name, **options)
        network, report = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **options)
        return extractor, network, report

    extractor, network, report = from_cache_or_hub(name, load)
    config = network.config
    whisper = config.model_type == "whisper" and isinstance(extractor, WhisperFeatureExtractor)
    waves = isinstance(extractor, Wav2Vec2FeatureExtractor) and not getattr(config, "is_encoder_decoder", False)
    if not whisper and not (waves and hasattr(config, "conv_kernel")):
        raise ValueError(f"{config.model_type} with {type(extractor).__name__} is none that is known here")
    if getattr(config, "add_adapter", False):
        raise ValueError("an adapter behind its layers shortens their frames")
    absent = sorted(key for key in report["missing_keys"] if not key.endswith(_UNUSED))
    if absent:
        raise ValueError(f"the checkpoint lacks {len(absent)} weights, the first is {absent[0]}")
    encoder = network.get_encoder() if whisper else network
    return extractor, encoder.eval().requires_grad_(False)


def _framing(extractor: Any, network: Any) -> Framing:
    if network.main_input_name == "input_features":
        return Framing(stride=extractor.n_samples // network.config.max_source_positions, field=1)
    return Framing.of_convolutions(list(network.config.conv_kernel), list(network.config.conv_stride))


@torch.inference_mode()
def _sizes(network: Any, framing: Framing) -> tuple[int, int]:
    """Width D and number of layers.

    Raises:
        ValueError: A layer has other frames than the framing says.
    """
    if network.main_input_name == "input_features":
        return network.config.d_model, network.config.encoder_layers
    output = network(torch.zeros(1, framing.field + 9 * framing.stride), output_hidden_states=True)
    for state in (*output.hidden_states, output.last_hidden_state):
        if state.shape[1] != 10:
            raise ValueError(f"a layer has {state.shape[1]} frames for sound of 10")
    return output.last_hidden_state.shape[2], len(output.hidden_states) - 1
