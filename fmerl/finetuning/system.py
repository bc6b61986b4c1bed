"""Interface of a system that is tuned: what an update and an evaluation need of it.

Shapes: n utterances of a pass or of a batch, D width of the encoder, C classes, V views of an utterance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.packing import PassMaker


class Output(NamedTuple):
    """Outputs for n utterances."""

    logits: Tensor
    """[n, C]."""
    states: Tensor
    """States that the logits are read from, [n, V, D]; V is 1 unless a loss compares several views."""


class Batch(Protocol):
    """Input of one forward pass."""

    @property
    def rows(self) -> Tensor:
        """Rows of the data that it holds, [n]."""

    def to(self, device: Any) -> Self:
        """The same on a device."""


Encode = Callable[[NDArray[Any]], Tensor]
"""States [n, D] of rows in evaluation mode, on the CPU and the same on every rank."""


class TunedSystem(nn.Module):
    """A pre-trained encoder with all that is tuned along with it."""

    pretrained: ClassVar[tuple[str, ...]] = ("encoder",)
    """Modules that have the encoder's rates."""
    encoders: ClassVar[int] = 1
    """Encoders that it holds, each of which takes memory."""
    makes_features: ClassVar[bool] = True
    """True if the encoder alone gives the state of an utterance from its input."""
    encoder: Any

    @classmethod
    def create(cls, encoder: Any, config: TuningConfig, data: TuningData) -> Self:
        """The system on an encoder, with new weights from the global generator.

        Raises:
            InputError: Settings that the corpus does not fit.
        """
        raise NotImplementedError

    @property
    def compares(self) -> bool:
        """True if the loss compares utterances: then it is taken over the whole batch, those of all ranks together."""
        return False

    def passes(self, maker: PassMaker, data: TuningData, rows: Sequence[int]) -> Iterator[Batch]:
        """Forward passes over these rows, longest first."""
        return maker.passes(data.sequences, rows)

    def forward(self, batch: Any) -> Output:
        """Outputs in the order of the batch's rows."""
        raise NotImplementedError

    def loss(self, output: Output, label: Tensor) -> Tensor:
        """Loss summed over utterances with labels [n]; its mean over a batch is what falls."""
        return F.cross_entropy(output.logits, label, reduction="sum")

    def begin_epoch(self, encode: Encode, data: TuningData) -> None:
        """Take in what the loss needs of train before an epoch's first update; it must be in a buffer."""
