"""CoMPM (Lee and Lee 2022): the conversation so far, and a memory of what its speaker has said.

z_t = c_t + W_p k_t, logits = W_o z_t. One encoder reads the input for c_t; another reads each earlier turn of the
speaker by itself, and k_t is the last output of a GRU over these, 0 where there is none. An earlier turn that several
utterances of a pass share is encoded once for them, so that they also share its dropout mask.

Shapes: n utterances of a pass, k of them with a memory, m distinct earlier turns, M most of one utterance, D width of
the encoder, C classes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from fmerl.finetuning.config import CoMPMConfig, TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.packing import Pass, PassMaker, places_of
from fmerl.finetuning.system import Output, TunedSystem


@dataclass(frozen=True, eq=False)
class Memory:
    """Earlier turns of a pass's utterances.

    A pass without any holds one utterance in place of them, of weight 0, so that every update and every rank computes
    the memory's gradient.
    """

    turns: Pass
    """The distinct ones, [m]."""
    places: Tensor
    """Turns of each utterance, oldest first, as places in `turns.rows`, [k, M]."""
    lengths: Tensor
    """How many each has, [k], on the CPU."""
    owners: Tensor
    """Places in the pass of the utterances, [k]."""
    weight: Tensor
    """1, or 0 for the stand-in, [k, 1]."""

    @classmethod
    def of(cls, maker: PassMaker, data: TuningData, rows: list[int]) -> Memory:
        """Memory of the rows of a pass."""
        earlier = {place: data.own_earlier[row] for place, row in enumerate(rows) if data.own_earlier[row]}
        used = earlier or {0: (rows[0],)}
        said = list(chain.from_iterable(used.values()))
        lengths = [len(own) for own in used.values()]
        turns = maker.whole(data.alone, sorted(set(said)))
        return cls(
            turns=turns,
            places=pad_sequence(places_of(said, turns.rows).split(lengths), batch_first=True),
            lengths=torch.tensor(lengths),
            owners=torch.tensor(list(used)),
            weight=torch.full((len(used), 1), float(bool(earlier))),
        )

    def to(self, device: torch.device) -> Memory:
        moved = {name: getattr(self, name).to(device) for name in ("turns", "places", "owners", "weight")}
        return Memory(lengths=self.lengths, **moved)


@dataclass(frozen=True, eq=False)
class ConversationPass:
    """Inputs of one forward pass, with their memory unless the system has none."""

    context: Pass
    memory: Memory | None

    @property
    def rows(self) -> Tensor:
        return self.context.rows

    def to(self, device: torch.device) -> ConversationPass:
        return ConversationPass(self.context.to(device), self.memory and self.memory.to(device))


class CoMPM(TunedSystem):
    """Context encoder, memory encoder, GRU and a linear layer.

    Args:
        encoder: A Hugging Face encoder.
        n_classes: Number of classes C.
        settings: CoMPM's own. Without context `encoder` is the one that reads the memory. A frozen one is in evaluation
            mode, without dropout.
    """

    pretrained: ClassVar[tuple[str, ...]] = ("encoder", "memory")
    encoders: ClassVar[int] = 2
    makes_features: ClassVar[bool] = False

    def __init__(self, encoder: Any, n_classes: int, settings: CoMPMConfig) -> None:
        super().__init__()
        self._settings = settings
        width = encoder.config.hidden_size
        reader = None if settings.memory == "none" else _memory_encoder(encoder, settings)
        self.encoder = encoder if settings.context else reader
        self.memory = reader if settings.context else None
        if reader is not None:
            dropout = settings.gru_dropout if settings.gru_layers > 1 else 0.0
            self.gru = nn.GRU(width, width, settings.gru_layers, batch_first=True, dropout=dropout)
            self.projection = nn.Linear(width, width, bias=False) if settings.projection else nn.Identity()
        self.head = nn.Linear(width, n_classes)

    @classmethod
    def create(cls, encoder: Any, config: TuningConfig, data: TuningData) -> CoMPM:
        return cls(encoder, len(data.classes), config.compm)

    @property
    def _reader(self) -> Any:
        return self.memory if self._settings.context else self.encoder

    def train(self, mode: bool = True) -> CoMPM:
        super().train(mode)
        if self._settings.memory == "frozen":
            self._reader.eval()
        return self

    def passes(self, maker: PassMaker, data: TuningData, rows: Sequence[int]) -> Iterator[ConversationPass]:
        """Forward passes over these rows; the memory's tokens count, too."""
        if self._settings.memory == "none":
            yield from (ConversationPass(batch, None) for batch in maker.passes(data.sequences, rows))
            return
        more = {row: sum(len(data.alone[other].ids) for other in data.own_earlier[row]) for row in rows}
        for batch in maker.passes(data.sequences, rows, more):
            yield ConversationPass(batch, Memory.of(maker, data, batch.rows.tolist()))

    def forward(self, batch: ConversationPass) -> Output:
        """Outputs in the order of the pass's rows."""
        parts = [batch.context.vectors(self.encoder)] if self._settings.context else []
        if batch.memory is not None:
            parts.append(self.remembered(batch.memory, len(batch.rows)))
        states = torch.stack(parts).sum(0)
        return Output(self.head(states), states.unsqueeze(1))

    def remembered(self, memory: Memory, count: int) -> Tensor:
        """Projected memory of each of `count` utterances, [n, D], in float32."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self._settings.memory != "frozen"):
            turns = memory.turns.vectors(self._reader).float()
        with torch.autocast(turns.device.type, enabled=False):
            packed = pack_padded_sequence(turns[memory.places], memory.lengths, batch_first=True, enforce_sorted=False)
            _, last = self.gru(packed)
            states = self.projection(memory.weight * last[-1])
        return states.new_zeros(count, states.shape[1]).index_copy(0, memory.owners, states)


def _memory_encoder(encoder: Any, settings: CoMPMConfig) -> Any:
    """A second encoder of the same kind."""
    if settings.memory == "scratch":
        fresh = type(encoder)(copy.deepcopy(encoder.config))
        for own, other in zip(fresh.parameters(), encoder.parameters(), strict=True):
            own.requires_grad_(other.requires_grad)
        return fresh
    return copy.deepcopy(encoder).requires_grad_(False) if settings.memory == "frozen" else copy.deepcopy(encoder)
