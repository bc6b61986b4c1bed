"""SDT's intra- and inter-modal transformers (Ma et al. 2023) for any non-empty set of modalities.

Shapes: N utterances of B dialogues (packed, see `fmerl.model.batch.Batch`), M modalities, P = M * M encoders, D width.
Encoder p = target * M + source takes queries and residual from `target`, keys and values from `source`.

A turn attends to its whole dialogue, or, with `attention = past`, to itself and the turns before it. Nothing else here
joins turns, so that then no output depends on later ones, and a dialogue may come turn by turn with a cache.

Padding never exists: rows are packed, and attention runs over the dialogues of one length at a time. All P encoders
run as one batched product. Against SDT's code, which draws a fresh dropout mask for both inputs of each encoder, one
mask is drawn per modality: its expectation, and everything in evaluation, is the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fmerl.config import BackboneConfig
from fmerl.model.batch import Batch
from fmerl.model.cache import KeyValueCache
from fmerl.model.features import Standardizers
from fmerl.model.layers import Dropout, StackedFeedForward, StackedLinear, sinusoidal_positions


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
        self.standardize = Standardizers(config, widths)
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
        self.dropout = Dropout(config.dropout)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        """Fit the standardisation on the training split: [U, D_m] values and [U] missing flags by modality."""
        self.standardize.fit_statistics(features, missing)

    def forward(self, batch: Batch) -> Tensor:
        return self.fuse(self.streams(batch))

    def streams(self, batch: Batch) -> Tensor:
        """Each modality's representation of the utterances after attending to all, [M, N, D]."""
        inputs = self._inputs(batch)
        encoded = self._encode(inputs, batch.runs, batch.cache)
        gated = torch.sigmoid(self.unimodal_gate(encoded)) * encoded
        if len(self.config.modalities) == 1:
            return gated
        by_target = gated.unflatten(0, (len(self.config.modalities), -1)).transpose(1, 2).flatten(2)
        return self.reduce(by_target)

    def fuse(self, streams: Tensor) -> Tensor:
        """The multimodal gate, [M, N, D] -> [N, D]."""
        if len(self.config.modalities) == 1:
            return streams[0]
        return (torch.softmax(self.multimodal_gate(streams), dim=0) * streams).sum(0)

    def _inputs(self, batch: Batch) -> Tensor:
        """Projected features + position + speaker, [M, N, D]."""
        longest = batch.runs[-1][1] + (batch.cache.turns if batch.cache else 0)
        if longest > len(self.positions):
            self.positions = sinusoidal_positions(2 * longest, self.config.hidden).to(self.positions)
        shared = self.positions[batch.position] + self.speaker(batch.speaker.clamp(max=self.speaker.num_embeddings - 1))
        streams = [self.project[name](values) + shared for name, values in self.standardize(batch).items()]
        return self.dropout(torch.stack(streams))

    def _encode(self, inputs: Tensor, runs: tuple[tuple[int, int], ...], cache: KeyValueCache | None) -> Tensor:
        """All P one-layer encoders, [M, N, D] -> [P, N, D]."""
        modalities, rows, _ = inputs.shape
        mixed = self.key_value_query(inputs).view(modalities, rows, modalities, 3, self.config.heads, -1)
        # Unbound and split, not indexed: the backward pass then writes each gradient once, into no zeros.
        key, value, query = mixed.unbind(3)
        if len(runs) == 1:  # as of a turn that comes live, whose attention takes no longer than a split
            context = self._attend(key, value, query, *runs[0], cache)
        else:
            rows_of_runs = [dialogues * turns for dialogues, turns in runs]
            parts = (part.split(rows_of_runs, dim=1) for part in (key, value, query))
            context = torch.cat([self._attend(*part, *run) for *part, run in zip(*parts, runs, strict=True)], dim=1)
        attended = self.dropout(self.attention_out(context)).unflatten(0, (modalities, modalities))
        return self.feed_forward((attended + inputs.unsqueeze(1)).flatten(0, 1))

    def _attend(
        self,
        key: Tensor,
        value: Tensor,
        query: Tensor,
        dialogues: int,
        turns: int,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Attention within each of some equally long dialogues.

        Args:
            key: Keys by source, then target, [M, dialogues * turns, M, heads, D / heads].
            value: Values, shaped as `key`.
            query: Queries by target, then source, else as `key`.
            dialogues: Number of dialogues.
            turns: Turns of each.
            cache: Earlier turns of the only one.

        Returns:
            [P, dialogues * turns, D].
        """

        def by_head(x: Tensor, target: int, source: int) -> Tensor:
            """[P * dialogues * heads, turns, D / heads]"""
            return x.unflatten(1, (dialogues, turns)).permute(target, source, 1, 4, 2, 5).flatten(0, 3)

        query, key, value = by_head(query, 0, 3), by_head(key, 3, 0), by_head(value, 3, 0)
        if cache is not None:
            key, value = cache.extend(key, value)
        scores = self._scores(query, key)
        context = torch.bmm(self.dropout(torch.softmax(scores, dim=-1)), value)
        by_turn = context.unflatten(0, (-1, dialogues, self.config.heads)).transpose(2, 3)
        return by_turn.flatten(3).flatten(1, 2)

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Products of the last turns' queries with all keys, scaled, [A, turns, D / heads] -> [A, turns, all turns]."""
        scale, turns, known = query.shape[-1] ** -0.5, query.shape[1], key.shape[1]
        if self.config.attention == "full" or turns == 1:
            return torch.bmm(query, key.transpose(1, 2)) * scale
        later = query.new_full((turns, known), float("-inf")).triu(known - turns + 1)
        return torch.baddbmm(later, query, key.transpose(1, 2), alpha=scale)
