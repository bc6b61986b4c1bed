"""Forward passes without padding: the sequences of a pass stand one after the other, and attention keeps to each.

Linear layers then see real tokens alone. Sequences are sorted by length, so that attention takes those of one length as
one batch, without a mask. An encoder that cannot do this, such as one whose positions are relative, gets padded passes
of sequences of like length.

Shapes: n sequences of a pass, T tokens of them all, D width of the encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmerl.finetuning.inputs import TokenSequence

PACKED = "fmerl_packed"
"""Name of this attention among those of Transformers."""


@dataclass(frozen=True, eq=False)
class Pass:
    """Inputs of one forward pass."""

    ids: Tensor
    """Token ids: [1, T] packed, [n, longest] padded."""
    positions: Tensor | None
    """Position ids like `ids`; None for a padded pass, whose positions are the model's own."""
    mask: Tensor | None
    """Attention mask like `ids`; None for a packed pass."""
    runs: tuple[tuple[int, int], ...]
    """Packed sequences as (how many, of which length), in order."""
    read: Tensor
    """Places, in the flattened tokens, of the states that stand for the utterances."""
    owner: Tensor
    """Sequence of the pass that each of them belongs to, like `read`."""
    rows: Tensor
    """Rows that the sequences were given by, [n]."""

    def to(self, device: torch.device) -> Pass:
        moved = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in vars(self).items()}
        return Pass(**moved)  # type: ignore[arg-type]

    def vectors(self, encoder: nn.Module) -> Tensor:
        """Mean of the states that stand for each utterance, [n, D], in the order of `rows`."""
        if self.mask is None:
            output = encoder(input_ids=self.ids, position_ids=self.positions, runs=self.runs)
        else:
            output = encoder(input_ids=self.ids, attention_mask=self.mask)
        states = output.last_hidden_state.flatten(0, 1)[self.read]
        if len(self.read) == len(self.rows):
            return states
        sums = states.new_zeros(len(self.rows), states.shape[1]).index_add(0, self.owner, states)
        return sums / torch.bincount(self.owner, minlength=len(self.rows)).unsqueeze(1)


@dataclass(frozen=True, kw_only=True)
class PassMaker:
    """Makes passes for one encoder."""

    packed: bool
    """False for padded passes."""
    first_position: int
    """Position id of a first token; RoBERTa's follows its padding index."""
    padding: int
    """Id of the padding token."""
    tokens: int
    """Most tokens of a pass, padding included; a longer sequence has a pass of its own."""

    def whole(self, sequences: Sequence[TokenSequence], rows: Sequence[int]) -> Pass:
        """One pass over `sequences[row]` of all these rows, longest first."""
        return self._pass(sequences, sorted(rows, key=lambda row: -len(sequences[row].ids)))

    def passes(
        self, sequences: Sequence[TokenSequence], rows: Sequence[int], more: Mapping[int, int] | None = None
    ) -> Iterator[Pass]:
        """Passes over `sequences[row]` of these rows, longest first.

        Args:
            sequences: Inputs.
            rows: Rows to take.
            more: Further tokens that a row brings along.
        """
        order = sorted(rows, key=lambda row: -len(sequences[row].ids))
        held: list[int] = []
        size = 0
        for row in order:
            # Padded, every sequence of a pass takes as much as its first.
            extra = more[row] if more else 0
            length = len(sequences[row if self.packed else (held or [row])[0]].ids) + extra
            if held and size + length > self.tokens:
                yield self._pass(sequences, held)
                held, size = [], 0
                length = len(sequences[row].ids) + extra
            held.append(row)
            size += length
        if held:
            yield self._pass(sequences, held)

    def _pass(self, sequences: Sequence[TokenSequence], rows: list[int]) -> Pass:
        chosen = [sequences[row] for row in rows]
        lengths = [len(each.ids) for each in chosen]
        starts = [0] * len(rows)
        for place in range(1, len(rows)):
            starts[place] = starts[place - 1] + (lengths[place - 1] if self.packed else lengths[0])
        read = [start + place for start, each in zip(starts, chosen, strict=True) for place in each.read]
        owner = [number for number, each in enumerate(chosen) for _ in each.read]
        ids, positions, mask = self._packed(chosen) if self.packed else self._padded(chosen)
        return Pass(
            ids=ids,
            positions=positions,
            mask=mask,
            runs=tuple((len(list(same)), length) for length, same in groupby(lengths)),
            read=torch.tensor(read),
            owner=torch.tensor(owner),
            rows=torch.tensor(rows),
        )

    def _packed(self, chosen: Sequence[TokenSequence]) -> tuple[Tensor, Tensor, None]:
        ids = torch.tensor([[token for each in chosen for token in each.ids]])
        positions = torch.cat([torch.arange(len(each.ids)) for each in chosen]) + self.first_position
        return ids, positions.unsqueeze(0), None

    def _padded(self, chosen: Sequence[TokenSequence]) -> tuple[Tensor, None, Tensor]:
        ids = torch.full((len(chosen), len(chosen[0].ids)), self.padding)
        mask = torch.zeros_like(ids)
        for row, each in enumerate(chosen):
            ids[row, : len(each.ids)] = torch.tensor(each.ids)
            mask[row, : len(each.ids)] = 1
        return ids, None, mask


def places_of(rows: Sequence[int], among: Tensor) -> Tensor:
    """Place of each of these rows in `among`, which holds each once."""
    place = {row: place for place, row in enumerate(among.tolist())}
    return torch.tensor([place[row] for row in rows])


def register() -> None:
    """Make the packed attention known to Transformers under `PACKED`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(PACKED, _attention)
    AttentionMaskInterface.register(PACKED, lambda *args, **kwargs: None)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    runs: Sequence[tuple[int, int]],
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention within each sequence: [1, heads, T, head width] each to [1, T, heads, head width]."""
    _, heads, _, width = query.shape
    mixed = []
    sizes = [count * length for count, length in runs]
    for (count, length), *parts in zip(runs, *(each.split(sizes, dim=2) for each in (query, key, value)), strict=True):
        q, k, v = (part.reshape(heads, count, length, width).transpose(0, 1) for part in parts)
        output = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        mixed.append(output.transpose(1, 2).reshape(1, count * length, heads, width))
    return torch.cat(mixed, dim=1), None
