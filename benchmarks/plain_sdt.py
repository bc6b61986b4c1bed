"""SDT's backbone as its paper describes it (Ma et al. 2023), padded and one encoder after the other: what
`training.py` measures against. Batch-first padding, nine separate encoders that each add positions and speakers to
both of their inputs, attention unfused over every padded pair.

Shapes: B dialogues, S turns of the longest one, N utterances, D width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from fmerl.model.backbone import Backbone
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.layers import StackedLinear, sinusoidal_positions


@dataclass(frozen=True, kw_only=True)
class PaddedBatch:
    """The same dialogues as a packed `Batch`; rows are B * S in reading order."""

    features: dict[str, Tensor]
    """Standardised, zeros where missing and in the padding, [B, S, D_m] by modality."""
    speaker: Tensor
    """The null embedding's index in the padding, [B, S]."""
    real: Tensor
    """Whether a row is an utterance, [B, S]."""
    label: Tensor
    """-1 in the padding, [B * S]."""
    vad: Tensor
    """[B * S, 3]"""

    @classmethod
    def of(cls, batch: Batch, standardize: Standardizers, speakers: int) -> PaddedBatch:
        """Pad a packed batch; speakers beyond the embedded ones share a null embedding."""
        lengths = [turns for dialogues, turns in batch.runs for _ in range(dialogues)]

        def pad(rows: Tensor, value: float = 0) -> Tensor:
            return pad_sequence(rows.split(lengths), batch_first=True, padding_value=value)

        return cls(
            features={name: pad(values) for name, values in standardize(batch).items()},
            speaker=pad(batch.speaker.clamp(max=speakers), speakers),
            real=pad(torch.ones_like(batch.speaker)).bool(),
            label=pad(batch.label, -1).flatten(),
            vad=pad(batch.vad, float("nan")).flatten(0, 1),
        )


class PlainEncoder(nn.Module):
    """One transformer layer source -> target with its unimodal gate."""

    def __init__(self, width: int, heads: int, dropout: float, gated: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.gate = nn.Linear(width, width, bias=False) if gated else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("positions", sinusoidal_positions(512, width), persistent=False)

    def forward(self, source: Tensor, target: Tensor, speaker: Tensor, real: Tensor) -> Tensor:
        place = self.positions[: source.shape[1]] + speaker
        source, target = self.dropout(source + place), self.dropout(target + place)
        query, key, value = (
            x.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for x in (self.query(target), self.key(source), self.value(source))
        )
        scores = query / math.sqrt(query.shape[-1]) @ key.transpose(2, 3)
        weights = torch.softmax(scores.masked_fill(~real[:, None, None], -1e10), dim=-1)
        context = (self.dropout(weights) @ value).transpose(1, 2).flatten(2)
        x = self.dropout(self.out(context)) + target
        x = x + self.dropout(self.outer(self.dropout(F.gelu(self.inner(self.norm(x)), approximate="tanh"))))
        return torch.sigmoid(self.gate(x)) * x


class PlainBackbone(nn.Module):
    """`Backbone` with the same weights, padded; gives [B * S, D], which means nothing in the padding."""

    def __init__(self, packed: Backbone) -> None:
        super().__init__()
        config = packed.config
        self.names = config.modalities
        self.project, self.speaker = packed.project, packed.speaker
        self.encoders = nn.ModuleList(
            PlainEncoder(config.hidden, config.heads, config.dropout, config.unimodal_gate == "learned")
            for _ in range(len(self.names) ** 2)
        )
        self.reduce = nn.ModuleList(nn.Linear(len(self.names) * config.hidden, config.hidden) for _ in self.names)
        self.multimodal_gate = packed.multimodal_gate
        self._load(packed)

    @torch.no_grad()
    def _load(self, packed: Backbone) -> None:
        count, width = len(self.names), packed.config.hidden
        layers = [packed.attention_out, packed.feed_forward.inner, packed.feed_forward.outer, packed.unimodal_gate]
        mixed = packed.key_value_query
        for p, encoder in enumerate(self.encoders):
            target, source = divmod(p, count)
            for layer, of, other, part in ((encoder.key, source, target, 0), (encoder.value, source, target, 1),
                                           (encoder.query, target, source, 2)):  # fmt: skip
                columns = slice((other * 3 + part) * width, (other * 3 + part + 1) * width)
                layer.weight.copy_(mixed.weight[of, :, columns].T)
                layer.bias.copy_(mixed.bias[of, 0, columns])
            for layer, stacked in zip((encoder.out, encoder.inner, encoder.outer, encoder.gate), layers, strict=True):
                _copy(layer, stacked, p)
            encoder.norm.weight.copy_(packed.feed_forward.norm_weight[p, 0])
            encoder.norm.bias.copy_(packed.feed_forward.norm_bias[p, 0])
        for target, layer in enumerate(self.reduce):
            _copy(layer, packed.reduce, target)

    def forward(self, batch: PaddedBatch) -> Tensor:
        streams = [self.project[name](batch.features[name]) for name in self.names]
        speaker, encoders = self.speaker(batch.speaker), iter(self.encoders)
        reduced = []
        for target, reduce in zip(streams, self.reduce, strict=True):
            encoded = [next(encoders)(source, target, speaker, batch.real) for source in streams]
            reduced.append(reduce(torch.cat(encoded, dim=-1)))
        stacked = torch.stack(reduced, dim=-2)
        return (torch.softmax(self.multimodal_gate(stacked), dim=-2) * stacked).sum(-2).flatten(0, 1)


def _copy(layer: nn.Module, stacked: nn.Module, p: int) -> None:
    if isinstance(stacked, StackedLinear):
        layer.weight.copy_(stacked.weight[p].T)
        if stacked.bias is not None:
            layer.bias.copy_(stacked.bias[p, 0])
