"""Sequences within a batch, for recurrent layers and for attention: no row is padding.

Shapes: N rows of a batch, S sequences.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from fmerl.model.batch import Batch


class Sequences(NamedTuple):
    """The rows of a batch by step: every sequence's first row, longest sequence first, then every second row, ..."""

    order: Tensor
    """Rows of the batch in that order, [N]."""
    place: Tensor
    """Place of each row of the batch in `order`, [N]."""
    sizes: Tensor
    """Number of sequences that reach each step, by step, on the CPU."""


def by_dialogue(batch: Batch, *, backward: bool = False) -> Sequences:
    """Each dialogue as one sequence of turns, from its last one on if `backward`."""
    return _sequences((batch.position == 0).cumsum(0), backward)


def by_speaker(batch: Batch) -> Sequences:
    """The turns of each speaker of each dialogue as one sequence."""
    dialogue = (batch.position == 0).cumsum(0)
    return _sequences(dialogue * (batch.speaker.max() + 1) + batch.speaker, backward=False)


def _sequences(owner: Tensor, backward: bool) -> Sequences:
    """Group rows by `owner`, the sequence of each row, [N]; rows of one sequence are in the order of time."""
    _, owner, length = owner.unique(return_inverse=True, return_counts=True)
    rank = length.argsort(descending=True, stable=True).argsort()
    by_owner = owner.argsort(stable=True)
    start = length.cumsum(0) - length
    step = torch.empty_like(owner)
    step[by_owner] = torch.arange(len(owner), device=owner.device) - start[owner[by_owner]]
    if backward:
        step = length[owner] - 1 - step
    order = (step * len(length) + rank[owner]).argsort()
    return Sequences(order, order.argsort(), torch.bincount(step).cpu())


class Recurrent(nn.Module):
    """A recurrent layer of PyTorch over every sequence of a batch, [N, D_in] -> [N, D_out].

    Args:
        layer: `nn.GRU` or `nn.LSTM`.
    """

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, sequences: Sequences) -> Tensor:
        packed, _ = self.layer(PackedSequence(x[sequences.order], sequences.sizes))
        return packed.data[sequences.place]


def attend(
    query: Tensor, key: Tensor, value: Tensor, batch: Batch, *, heads: int = 1, scale: float | None = None
) -> Tensor:
    """Dot-product attention of every row to the rows of its own dialogue, [N, D] each -> [N, D].

    Args:
        query: [N, D].
        key: [N, D].
        value: [N, D].
        batch: Tells which rows are a dialogue's.
        heads: Must divide D.
        scale: Factor on the products; None is one over the root of D / heads.
    """
    rows = [dialogues * turns for dialogues, turns in batch.runs]

    def by_head(x: Tensor, dialogues: int, turns: int) -> Tensor:
        """[dialogues, heads, turns, D / heads]"""
        return x.reshape(dialogues, turns, heads, -1).transpose(1, 2)

    attended = []
    for *part, run in zip(query.split(rows), key.split(rows), value.split(rows), batch.runs, strict=True):
        q, k, v = (by_head(x, *run) for x in part)
        attended.append(F.scaled_dot_product_attention(q, k, v, scale=scale).transpose(1, 2).flatten(2).flatten(0, 1))
    return torch.cat(attended)
