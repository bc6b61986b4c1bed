"""SDT's intra- and inter-modal transformers (Ma et al. 2023) for any non-empty set of modalities.

Shapes: N utterances of B dialogues (packed, see `fmerl.batching.Batch`), M modalities, P = M * M encoders, D width.
Encoder p = target * M + source takes queries and residual from `target`, keys and values from `source`.

Padding never exists: rows are packed, and attention runs over the dialogues of one length at a time. All P encoders
run as one batched product. Against SDT's code, which draws a fresh dropout mask for both inputs of each encoder, one
mask is drawn per modality: its expectation, and everything in evaluation, is the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fmerl.batching import Batch
from fmerl.config import BackboneConfig
from fmerl.model.layers import StackedFeedForward, StackedLinear, Standardizer, sinusoidal_positions


class Backbone(nn.Module):
    """Features of every modality -> one fused representation per utterance, [N, D].

    Args:
        config: Widths and switches.
        widths: Feature width of each of `config.modalities`.
        n_speakers: Embedded speakers per dialogue; any further one shares a null embedding.
    """

    positions: Tensor

    def __init__(self, config: BackboneConfig, widths: Mapping[str, int], n_speakers: int) -> None:
        super().__init__()
        self.config = config
        width, modalities = config.hidden, len(config.modalities)
        encoders = modalities * modalities
        self.standardize = nn.ModuleDict(
            {name: Standardizer(widths[name]) for name in config.standardize if name in config.modalities}
        )
        self.project = nn.ModuleDict({name: nn.Linear(widths[name], width, bias=False) for name in config.modalities})
        self.speaker = nn.Embedding(n_speakers + 1, width, padding_idx=n_speakers)
        self.register_buffer("positions", sinusoidal_positions(512, width), persistent=False)
        # Of modality m: key and value for each target it serves as source, query for each source it is target of.
        self.key_value_query = StackedLinear(modalities, width, modalities * 3 * width, bias=True)
        self.attention_out = StackedLinear(encoders, width, width, bias=True)
        self.feed_forward = StackedFeedForward(encoders, width, config.dropout)
        self.unimodal_gate = (
            StackedLinear(encoders, width, width, bias=False) if config.unimodal_gate == "learned" else nn.Identity()
        )
        if modalities > 1:
            self.reduce = StackedLinear(modalities, modalities * width, width, bias=True)
            self.multimodal_gate = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        """Fit the standardisation on the training split: [U, D_m] values and [U] missing flags by modality."""
        for name, standardizer in self.standardize.items():
            assert isinstance(standardizer, Standardizer)
            standardizer.fit(features[name][~missing[name]])

    def forward(self, batch: Batch) -> Tensor:
        inputs = self._inputs(batch)
        encoded = self._encode(inputs, batch.runs)
        gated = torch.sigmoid(self.unimodal_gate(encoded)) * encoded
        if len(self.config.modalities) == 1:
            return gated[0]
        by_target = gated.unflatten(0, (len(self.config.modalities), -1)).transpose(1, 2).flatten(2)
        streams = self.reduce(by_target)
        return (torch.softmax(self.multimodal_gate(streams), dim=0) * streams).sum(0)

    def _inputs(self, batch: Batch) -> Tensor:
        """Projected features + position + speaker, [M, N, D]."""
        longest = batch.runs[-1][1]
        if longest > len(self.positions):
            self.positions = sinusoidal_positions(longest, self.config.hidden).to(self.positions)
        shared = self.positions[batch.position] + self.speaker(batch.speaker.clamp(max=self.speaker.num_embeddings - 1))
        streams = []
        for name in self.config.modalities:
            values = batch.features[name]
            if name in self.standardize:
                values = self.standardize[name](values)
            streams.append(self.project[name](values * batch.present[name]) + shared)
        return self.dropout(torch.stack(streams))

    def _encode(self, inputs: Tensor, runs: tuple[tuple[int, int], ...]) -> Tensor:
        """All P one-layer encoders, [M, N, D] -> [P, N, D]."""
        modalities, rows, width = inputs.shape
        mixed = self.key_value_query(inputs).view(modalities, rows, modalities, 3, width)
        # Keys and values lie by (source, target), queries by (target, source): bring all to [N, target, source, D].
        key, value = (mixed[:, :, :, part].permute(1, 2, 0, 3) for part in (0, 1))
        query = mixed[:, :, :, 2].permute(1, 0, 2, 3)
        context = self._attend(query, key, value, runs)
        residual = inputs.repeat_interleave(modalities, dim=0)
        return self.feed_forward(self.dropout(self.attention_out(context)) + residual)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, runs: tuple[tuple[int, int], ...]) -> Tensor:
        """Attention within each dialogue, dialogues of one length at a time: [N, M, M, D] -> [P, N, D]."""
        _, modalities, _, width = query.shape
        heads = self.config.heads
        contexts = []
        sizes = [dialogues * turns for dialogues, turns in runs]
        for (dialogues, turns), *parts in zip(runs, *(x.split(sizes) for x in (query, key, value)), strict=True):
            q, k, v = (x.reshape(dialogues, turns, -1, width // heads).transpose(1, 2) for x in parts)
            context = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout.p if self.training else 0.0)
            contexts.append(context.transpose(1, 2).reshape(dialogues * turns, modalities * modalities, width))
        return torch.cat(contexts).transpose(0, 1)
