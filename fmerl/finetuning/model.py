"""A pre-trained encoder, and a classifier of emotions on the state that stands for an utterance.

Shapes: n utterances of a pass, D width of the encoder, C classes.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from fmerl.errors import InputError
from fmerl.features.text.encoder import first_position, load_encoder
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.inputs import TokenSequence, speaker_tag
from fmerl.finetuning.packing import PACKED, Pass, PassMaker, register
from fmerl.finetuning.system import Output, TunedSystem
from fmerl.training.loop import random_state

_LAYER = re.compile(r"\.(?:layers?|blocks?|h)\.(\d+)\.")
_TOLERANCE = 1e-4
_log = logging.getLogger(__name__)


class TunedClassifier(TunedSystem):
    """Encoder, then dropout, dense D, tanh, dropout, linear (fairseq's sentence prediction, COSMIC's head).

    Args:
        encoder: A Hugging Face encoder.
        n_classes: Number of classes C.
        dropout: Dropout of the classifier.
    """

    def __init__(self, encoder: Any, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.hidden_size
        dense, out = nn.Linear(width, width), nn.Linear(width, n_classes)
        for layer in (dense, out):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        self.head = nn.Sequential(nn.Dropout(dropout), dense, nn.Tanh(), nn.Dropout(dropout), out)

    @classmethod
    def create(cls, encoder: Any, config: TuningConfig, data: TuningData) -> TunedClassifier:
        return cls(encoder, len(data.classes), config.dropout)

    def forward(self, batch: Pass) -> Output:
        """Outputs in the order of the pass's rows."""
        states = batch.vectors(self.encoder)
        return Output(self.head(states), states.unsqueeze(1))


def prepare_encoder(config: TuningConfig, seed: int = 0) -> tuple[Any, Any, PassMaker]:
    """Tokenizer, model and pass maker of an encoder, tried out on two short inputs.

    Packed passes are used where they give the states of padded ones. Parameters that no state depends on, such as a
    pooler's, are frozen. Speakers' tags that are tokens get embeddings drawn from the seed.

    Raises:
        InputError: It cannot be loaded, or is no encoder: a first state that knows nothing of the last token.
    """
    tokenizer, model = load_encoder(config.encoder)
    if config.input == "tags":
        _add_tokens(tokenizer, model, [speaker_tag(number + 1) for number in range(config.speaker_tokens)], seed)
    special, other = tokenizer.all_special_ids, tokenizer.get_vocab().values()
    tokens = [token for token in sorted(other) if token not in special][:3] * 2
    short, long = TokenSequence(tokens[:2], range(1), True, False), TokenSequence(tokens[:5], range(1), True, False)
    changed = TokenSequence([*tokens[:4], tokens[5]], range(1), True, False)
    maker = PassMaker(
        packed=False,
        first_position=first_position(model),
        padding=tokenizer.pad_token_id,
        tokens=config.pass_tokens,
    )
    model.eval()
    padded = _states(model, maker, [short, long])
    if torch.equal(padded[1], _states(model, maker, [short, changed])[1]):
        what = "a decoder: its first state does not depend on later tokens"
        raise InputError(config.encoder, what, "give an encoder")
    _freeze_unused(model, maker, [short, long])
    packed = replace(maker, packed=True)
    if not _packs(model, packed, [short, long], padded):
        _log.info("%s reads padded passes: its attention cannot be packed", config.encoder)
        return tokenizer, model, maker
    return tokenizer, model, packed


def longest_input(tokenizer: Any, model: Any) -> int:
    """Most tokens that an encoder can take."""
    positions = getattr(model.config, "max_position_embeddings", None)
    limits = [tokenizer.model_max_length, *([positions - first_position(model)] if positions else [])]
    return int(min(limits))


def parameter_groups(model: TunedSystem, config: TuningConfig) -> list[dict[str, Any]]:
    """AdamW's groups: the peak rate of each layer as `peak`, no decay of biases and normalisation weights."""
    layers = 1 + max((_depth(name) or 0 for name, _ in model.encoder.named_parameters()), default=0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        depth = _depth(name)
        below = layers - 1 - depth if depth is not None else layers if ".embeddings." in name else 0
        pretrained = name.partition(".")[0] in model.pretrained
        peak = config.learning_rate * config.layer_decay**below if pretrained else config.head_rate
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((peak, decay), []).append(parameter)
    return [
        {"params": members, "lr": peak, "peak": peak, "weight_decay": decay}
        for (peak, decay), members in groups.items()
    ]


def _add_tokens(tokenizer: Any, model: Any, tokens: list[str], seed: int) -> None:
    """Make these tokens the tokenizer's own; those that it knows stay as they are."""
    if tokens and tokenizer.add_special_tokens({"additional_special_tokens": tokens}):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random_state(seed, "tokens"))
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


def _depth(name: str) -> int | None:
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def _states(model: Any, maker: PassMaker, inputs: list[TokenSequence]) -> list[Tensor]:
    """First state of each input."""
    with torch.no_grad():
        found = [(batch.rows, batch.vectors(model)) for batch in maker.passes(inputs, range(len(inputs)))]
    rows, vectors = (torch.cat(parts) for parts in zip(*found, strict=True))
    return list(vectors[rows.argsort()])


def _freeze_unused(model: Any, maker: PassMaker, inputs: list[TokenSequence]) -> None:
    for batch in maker.passes(inputs, range(len(inputs))):
        batch.vectors(model).sum().backward()
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None


def _packs(model: Any, maker: PassMaker, inputs: list[TokenSequence], expected: list[Tensor]) -> bool:
    """True if packed passes give the expected states; else the model keeps the attention it had."""
    before = model.config._attn_implementation
    register()
    try:
        model.set_attn_implementation(PACKED)
        found = _states(model, maker, inputs)
        if all(torch.allclose(one, two, atol=_TOLERANCE) for one, two in zip(found, expected, strict=True)):
            return True
    except Exception as error:  # a model may refuse the attention, its arguments or explicit positions in any way
        _log.debug("packed attention: %s", error)
    model.set_attn_implementation(before)
    return False
