"""Updates of a system: order, rates, and the gradient of a batch in passes and over ranks.

Everything random follows (seed, epoch) or (seed, update, rank), so an update is the same in any process that has the
weights and the optimiser that the one before it left.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.model import parameter_groups
from fmerl.finetuning.packing import PassMaker, places_of
from fmerl.finetuning.system import Batch, Output, TunedSystem
from fmerl.training.distributed import Ranks
from fmerl.training.loop import random_state


def rate_factor(update: int, updates: int, rising: int) -> float:
    """Factor on the peak rate at an update, counted from 0: rises from 0 in the warm-up, then falls to 0, linearly.

    Args:
        update: Number of the update.
        updates: How many there are.
        rising: In how many of them the rate rises.
    """
    if update < rising:
        return update / max(1, rising)
    return max(0.0, (updates - update) / max(1, updates - rising))


class Tuner:
    """A system in training, and its optimiser.

    Args:
        model: On `device`.
        data: The corpus as the model's encoder reads it.
        config: Settings.
        maker: Makes the encoder's passes.
        seed: Decides order and dropout.
        device: Device to train on.
        ranks: This process among those that tune the encoder.
    """

    def __init__(
        self,
        model: TunedSystem,
        data: TuningData,
        config: TuningConfig,
        maker: PassMaker,
        seed: int,
        device: torch.device,
        ranks: Ranks,
    ) -> None:
        self.model, self._data, self._config, self._maker = model, data, config, maker
        self._seed, self._device, self._ranks = seed, device, ranks
        self._label = torch.from_numpy(data.learned)
        self._tuned = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._called = _averaging(model, ranks)
        self.optimizer = torch.optim.AdamW(parameter_groups(model, config), fused=True)
        epoch = len(self.batches(1))
        self._updates = config.epochs * epoch
        risings = {
            "share": math.ceil(config.warmup * self._updates),
            "epoch": epoch,
            "utterances": len(data.train_rows()),
        }
        self._rising = risings[config.warmup_by]

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Rows of every batch of an epoch, in an order drawn from (seed, epoch)."""
        rows, size = self._data.train_rows(), self._config.batch_size
        order = torch.Generator().manual_seed(random_state(self._seed, "order", epoch))
        rows = rows[torch.randperm(len(rows), generator=order).numpy()]
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def begin_epoch(self) -> None:
        """Prepare the system for an epoch, before its first update."""
        self.model.begin_epoch(lambda rows: self._evaluated(rows, lambda output: output.states[:, 0]), self._data)

    def update(self, number: int, rows: NDArray[np.int64]) -> float:
        """Make one update.

        Args:
            number: Its number, from 0, over all epochs.
            rows: The batch, the same on every rank; each takes its share of every length.

        Returns:
            Loss summed over the batch.
        """
        self.model.train()
        rank = self._ranks.rank
        purpose = ("dropout", number) if rank == 0 else ("dropout", number, rank)
        torch.manual_seed(random_state(self._seed, *purpose))
        by_length = sorted(rows.tolist(), key=lambda row: -len(self._data.sequences[row].ids))
        total = self._backward_together(by_length) if self.model.compares else self._backward_apart(by_length)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate_factor(number, self._updates, self._rising)
        torch.nn.utils.clip_grad_norm_(self._tuned, self._config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(total)

    def _backward_apart(self, rows: list[int]) -> Tensor:
        """Gradient of a loss that is a sum over utterances, one pass after the other; returns the sum of all ranks."""
        size = self._ranks.size
        share = rows[self._ranks.rank :: size]
        # A rank without a share computes something all the same, to take part in the averaging.
        weight = size / len(rows) if share else 0.0
        passes = list(self.model.passes(self._maker, self._data, share or rows[:1]))
        total = torch.zeros((), device=self._device)
        for place, batch in enumerate(passes):
            with self._averaged(place + 1 == len(passes)):
                output = self._output(self._called, batch)
                loss = self.model.loss(output, self._label[batch.rows].to(self._device))
                (weight * loss).backward()
            total += loss.detach() * bool(share)
        if size > 1:
            dist.all_reduce(total)
        return total

    def _backward_together(self, rows: list[int]) -> Tensor:
        """Gradient of a loss that compares the batch's utterances: all passes are kept until it is taken.

        Every rank takes the loss of all ranks' outputs, and its gradient by its own. These are averaged over ranks, so
        times their number it is the gradient of one process.
        """
        rank, size = self._ranks.rank, self._ranks.size
        shares = [rows[first::size] for first in range(size)]
        own = shares[rank]
        passes = list(self.model.passes(self._maker, self._data, own or rows[:1]))
        outputs = []
        for number, batch in enumerate(passes):
            with self._averaged(number + 1 == len(passes)):
                outputs.append(self._output(self._called, batch))
        sizes = [len(share) for share in shares]
        order = places_of(own or rows[:1], torch.cat([batch.rows for batch in passes])).to(self._device)
        parts = (torch.cat(values)[order][: len(own)] for values in zip(*outputs, strict=True))
        whole = Output(*(_of_all_ranks(part, sizes, rank) for part in parts))
        label = self._label[list(chain.from_iterable(shares))].to(self._device)
        loss = self.model.loss(whole, label)
        (size / len(rows) * loss).backward()
        return loss.detach()

    def _averaged(self, last: bool) -> AbstractContextManager[None]:
        """Context of a pass: ranks average their gradients after the last one of an update."""
        alone = isinstance(self._called, DistributedDataParallel) and not last
        return self._called.no_sync() if alone else nullcontext()  # type: ignore[operator]

    def scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Log-probabilities [n, C] of these rows, in evaluation mode; ranks share the passes."""
        scores: NDArray[np.float32] = self._evaluated(rows, lambda output: output.logits.log_softmax(1)).numpy()
        return scores

    @torch.no_grad()
    def _evaluated(self, rows: NDArray[np.int64], read: Callable[[Output], Tensor]) -> Tensor:
        """Something of the outputs of these rows, in their order, on the CPU and the same on every rank."""
        self.model.eval()
        passes = self.model.passes(self._maker, self._data, rows.tolist())
        found = [
            (batch.rows, read(self._output(self.model, batch)).cpu())
            for batch in islice(passes, self._ranks.rank, None, self._ranks.size)
        ]
        if self._ranks.size > 1:
            gathered: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(self._ranks.size)]
            dist.all_gather_object(gathered, found)
            found = list(chain.from_iterable(gathered))
        chosen, values = (torch.cat(parts) for parts in zip(*found, strict=True))
        return values[places_of(rows.tolist(), chosen)]

    def _output(self, called: nn.Module, batch: Batch) -> Output:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bfloat16"):
            output: Output = called(batch.to(self._device))
        return Output(*(part.float() for part in output))


def _of_all_ranks(own: Tensor, sizes: list[int], rank: int) -> Tensor:
    """Rows of all ranks in their order; gradients flow into this rank's own alone."""
    if len(sizes) == 1:
        return own
    padded = own.new_zeros((max(sizes), *own.shape[1:]))
    padded[: len(own)] = own.detach()
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    rows = [part[:size] for part, size in zip(parts, sizes, strict=True)]
    return torch.cat([*rows[:rank], own, *rows[rank + 1 :]])


def _averaging(model: TunedSystem, ranks: Ranks) -> nn.Module:
    """The callable for training, which averages gradients over ranks."""
    if ranks.size == 1:
        return model
    with warnings.catch_warnings():
        # The argument that PyTorch 2.13 prefers is not in every release that this project runs on.
        warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
        return DistributedDataParallel(model, broadcast_buffers=False)
