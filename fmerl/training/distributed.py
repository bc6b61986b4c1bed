"""One cell trained by several processes as by one: the same batches, losses and gradients, split by dialogue.

Each rank computes the outputs of its share of a batch; the outputs of all ranks are gathered, and every rank takes the
loss of the whole batch, so that in-batch classes and negatives are those of one process. A rank's own rows carry the
gradient, scaled by the number of ranks; `DistributedDataParallel`, which averages, then gives the gradient of the whole
loss, for parameters of the loss itself as well. Dropout masks alone differ: each rank draws its own.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from fmerl.model import Losses, System
from fmerl.model.batch import Batch
from fmerl.training.batching import BatchLoader
from fmerl.training.evaluation import Predictions, arranged, predict_batches


class Ranks:
    """This process among those that train one cell; alone by default.

    Args:
        rank: This process, from 0.
        size: Number of processes; above 1 the default process group of `torch.distributed` is used.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def wrap(self, model: System) -> torch.nn.Module:
        """The callable for training, which averages gradients over ranks."""
        if self.size == 1:
            return model
        with warnings.catch_warnings():
            # The argument that PyTorch 2.13 prefers is not in every release that this project runs on.
            warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
            return DistributedDataParallel(model, broadcast_buffers=False)

    def loss(self, model: System, called: torch.nn.Module, batch: Batch) -> Losses:
        """Loss of a whole batch, to be propagated backward on every rank.

        Args:
            model: Takes the loss.
            called: From `wrap`, computes the outputs.
            batch: The same on every rank.
        """
        if self.size == 1:
            return model.loss(called(batch), batch)
        shares = split_rows(batch, self.size)
        idle = not len(shares[self.rank][0])
        rows, runs = shares[0] if idle else shares[self.rank]
        output = called(take_rows(batch, rows, runs))
        sizes = [len(rows) for rows, _ in shares]
        whole = type(output)(*(self._gather(part[: sizes[self.rank]], sizes) for part in output))
        losses = model.loss(whole, take_rows(batch, torch.cat([rows for rows, _ in shares]), ()))
        if idle:  # it computed the first share only to take part in the averaging
            losses = losses._replace(total=losses.total + 0 * sum(part.sum() for part in output))
        return losses

    def _gather(self, own: Tensor, sizes: list[int]) -> Tensor:
        """Rows of all ranks in their order; gradients flow into `own` alone, scaled by the number of ranks."""
        padded = own.new_zeros((max(sizes), *own.shape[1:]))
        padded[: len(own)] = own.detach()
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        parts = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        parts[self.rank] = _scale_gradient(own, self.size)
        return torch.cat(parts)

    def predict(self, model: System, loader: BatchLoader) -> Predictions:
        """Predictions as by `fmerl.training.evaluation.predict`; one rank predicts each batch, and all ranks get it."""
        mine = predict_batches(model, islice(loader.in_order(), self.rank, None, self.size))
        return arranged(self._everyone(mine))

    def _everyone(self, mine: list[Any]) -> list[Any]:
        if self.size == 1:
            return mine
        lists: list[Any] = [None] * self.size
        dist.all_gather_object(lists, mine)
        return [item for items in lists for item in items]

    def from_first(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        if self.size == 1:
            return value
        held = [value if self.rank == 0 else None]
        dist.broadcast_object_list(held, src=0)
        return held[0]


ALONE = Ranks()


def split_rows(batch: Batch, size: int) -> list[tuple[Tensor, tuple[tuple[int, int], ...]]]:
    """Deal a batch's dialogues, which are sorted by length, over ranks in turn: rows and runs of each share."""
    turns = torch.cat([torch.full((dialogues,), length) for dialogues, length in batch.runs])
    starts = turns.cumsum(0) - turns
    shares = []
    for rank in range(size):
        own = list(zip(starts[rank::size].tolist(), turns[rank::size].tolist(), strict=True))
        rows = [torch.arange(start, start + length) for start, length in own]
        lengths = [length for _, length in own]
        runs = tuple((lengths.count(length), length) for length in dict.fromkeys(lengths))
        shares.append((torch.cat(rows) if rows else torch.empty(0, dtype=torch.int64), runs))
    return shares


def take_rows(batch: Batch, rows: Tensor, runs: tuple[tuple[int, int], ...]) -> Batch:
    """Some rows of a batch, in this order."""
    rows = rows.to(batch.rows.device)
    return replace(
        batch,
        features={name: values[rows] for name, values in batch.features.items()},
        present={name: values[rows] for name, values in batch.present.items()},
        runs=runs,
        **{name: getattr(batch, name)[rows] for name in ("speaker", "position", "label", "vad", "rows")},
    )


def _scale_gradient(x: Tensor, factor: float) -> Tensor:
    """`x`, with its gradient multiplied by `factor`."""
    return x.detach() + factor * (x - x.detach())
