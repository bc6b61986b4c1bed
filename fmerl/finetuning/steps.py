"""Updates of a classifier: order, rates, and the gradient of a batch in passes and over ranks.

Everything random follows (seed, epoch) or (seed, update, rank), so an update is the same in any process that has the
weights and the optimiser that the one before it left.
"""

from __future__ import annotations

import math
import warnings
from contextlib import nullcontext
from itertools import chain, islice

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.model import TunedClassifier, parameter_groups
from fmerl.finetuning.packing import Pass, PassMaker
from fmerl.training.distributed import Ranks
from fmerl.training.loop import random_state


def rate_factor(update: int, updates: int, warmup: float) -> float:
    """Factor on the peak rate at an update, counted from 0: rises from 0 in the warm-up, then falls to 0, linearly."""
    rising = math.ceil(warmup * updates)
    if update < rising:
        return update / max(1, rising)
    return max(0.0, (updates - update) / max(1, updates - rising))


class Tuner:
    """A classifier in training, and its optimiser.

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
        model: TunedClassifier,
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
        self._updates = config.epochs * len(self.batches(1))

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Rows of every batch of an epoch, in an order drawn from (seed, epoch)."""
        rows, size = self._data.train_rows(), self._config.batch_size
        order = torch.Generator().manual_seed(random_state(self._seed, "order", epoch))
        rows = rows[torch.randperm(len(rows), generator=order).numpy()]
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def update(self, number: int, rows: NDArray[np.int64]) -> float:
        """Make one update.

        Args:
            number: Its number, from 0, over all epochs.
            rows: The batch, the same on every rank; each takes its share of every length.

        Returns:
            Cross-entropy summed over the batch.
        """
        self.model.train()
        rank, size = self._ranks.rank, self._ranks.size
        purpose = ("dropout", number) if rank == 0 else ("dropout", number, rank)
        torch.manual_seed(random_state(self._seed, *purpose))
        by_length = sorted(rows.tolist(), key=lambda row: -len(self._data.sequences[row].ids))
        share = by_length[rank::size]
        # A rank without a share computes something all the same, to take part in the averaging.
        weight = size / len(rows) if share else 0.0
        passes = list(self._maker.passes(self._data.sequences, share or by_length[:1]))
        total = torch.zeros((), device=self._device)
        for place, batch in enumerate(passes):
            alone = isinstance(self._called, DistributedDataParallel) and place + 1 < len(passes)
            with self._called.no_sync() if alone else nullcontext():  # type: ignore[operator]
                logits = self._logits(self._called, batch)
                loss = F.cross_entropy(logits, self._label[batch.rows].to(self._device), reduction="sum")
                (weight * loss).backward()
            total += loss.detach() * bool(share)
        if size > 1:
            dist.all_reduce(total)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate_factor(number, self._updates, self._config.warmup)
        torch.nn.utils.clip_grad_norm_(self._tuned, self._config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(total)

    @torch.no_grad()
    def scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Log-probabilities [n, C] of these rows, in evaluation mode; ranks share the passes."""
        self.model.eval()
        passes = self._maker.passes(self._data.sequences, rows.tolist())
        found = [
            (batch.rows, self._logits(self.model, batch).log_softmax(1).cpu())
            for batch in islice(passes, self._ranks.rank, None, self._ranks.size)
        ]
        if self._ranks.size > 1:
            gathered: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(self._ranks.size)]
            dist.all_gather_object(gathered, found)
            found = list(chain.from_iterable(gathered))
        place = {row: place for place, row in enumerate(rows.tolist())}
        scores = np.empty((len(rows), len(self._data.classes)), dtype=np.float32)
        for chosen, values in found:
            scores[[place[row] for row in chosen.tolist()]] = values.numpy()
        return scores

    def _logits(self, called: nn.Module, batch: Pass) -> Tensor:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bfloat16"):
            logits: Tensor = called(batch.to(self._device))
        return logits.float()


def _averaging(model: TunedClassifier, ranks: Ranks) -> nn.Module:
    """The callable for training, which averages gradients over ranks."""
    if ranks.size == 1:
        return model
    with warnings.catch_warnings():
        # The argument that PyTorch 2.13 prefers is not in every release that this project runs on.
        warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
        return DistributedDataParallel(model, broadcast_buffers=False)
