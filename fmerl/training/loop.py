"""The training loop: one model, one seed, one epoch at a time. It is given train and validation and nothing else."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from fmerl.config import CellConfig
from fmerl.model import ModelInputs, System, create_system
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.distributed import ALONE, Ranks
from fmerl.training.evaluation import classification_scores


class DivergedError(RuntimeError):
    """The loss is not finite any more."""


def random_state(seed: int, *purpose: object) -> int:
    """A generator seed for one purpose (`init`; `order`, epoch; ...) of a cell's seed, independent of the others."""
    text = ":".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Fix thread count and deterministic kernels, for the same bits; the caller's settings come back."""
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # No kernel used here reads memory it has not written; filling it all the same took a fifth of an epoch.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        torch.utils.deterministic.fill_uninitialized_memory = before[3]  # type: ignore[attr-defined]


def build_model(config: CellConfig, train: ConversationData, anchors: np.ndarray, seed: int) -> System:
    """A model for this training data, initialised from the seed and with its input statistics fitted.

    Args:
        config: The cell's configuration.
        train: Training split; its class counts weigh and centre, its features standardise.
        anchors: Encoded descriptions in label order, [C, E].
        seed: The cell's seed.
    """
    torch.manual_seed(random_state(seed, "init"))
    known = train.label[train.label >= 0]
    inputs = ModelInputs(
        widths=train.widths(config.tables),
        n_speakers=train.n_speakers,
        anchors=torch.tensor(anchors),
        vad_range=train.vad_range,
        train_counts=np.bincount(known, minlength=len(train.classes)).tolist(),
    )
    model = create_system(config, inputs)
    loader = BatchLoader(train, config.tables, config.training, torch.device("cpu"))
    model.fit_statistics(loader.features, loader.missing)
    return model


def adam(model: System) -> torch.optim.Adam:
    """The optimiser of a model on its device."""
    config = model.config.training
    return torch.optim.Adam(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def train_epochs(
    model: System,
    data: ConversationData,
    seed: int,
    device: torch.device,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    first_epoch: int = 1,
    ranks: Ranks = ALONE,
) -> Iterator[dict[str, float]]:
    """Train, yielding each epoch's metrics while the model stands as that epoch left it.

    Data order and dropout follow (seed, epoch, rank) alone, so no generator's state outlives an epoch: from the weights
    and the optimiser that an epoch ended with, the next one is the same in any process.

    Args:
        model: From `build_model`, on `device`.
        data: Train and validation splits; test must not be in it.
        seed: The cell's seed.
        device: Device to train on.
        optimizer: State after an earlier epoch; None is a new `adam`.
        first_epoch: First epoch to train, counted from 1.
        ranks: This process among those that train the cell.

    Yields:
        `train_loss`, `train_mse_loss`, `train_contrastive_loss`, `train_negative_loss` (means over utterances that
        have a target), `validation_weighted_f1`, `validation_accuracy`.

    Raises:
        DivergedError: An epoch's mean loss is not finite.
    """
    config, tables = model.config.training, model.config.tables
    train_splits = data if config.train_on_validation else data.subset("train")
    validation = data.subset("validation")
    train_loader = BatchLoader(train_splits, tables, config, device)
    validation_loader = BatchLoader(validation, tables, config, device)
    optimizer = optimizer or adam(model)
    called = ranks.wrap(model)
    for epoch in range(first_epoch, config.epochs + 1):
        purpose = ("dropout", epoch) if ranks.rank == 0 else ("dropout", epoch, ranks.rank)
        torch.manual_seed(random_state(seed, *purpose))
        order = torch.Generator().manual_seed(random_state(seed, "order", epoch))
        model.train()
        sums = torch.zeros(4, device=device)
        count = torch.zeros((), device=device)
        for batch in train_loader.shuffled(order):
            with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                losses = ranks.loss(model, called, batch)
            optimizer.zero_grad(set_to_none=True)
            losses.total.backward()
            optimizer.step()
            targets = (batch.label >= 0).sum()
            sums += torch.stack(losses).detach() * targets
            count += targets
        means = (sums / count.clamp(min=1)).tolist()
        if not math.isfinite(means[0]):
            raise DivergedError(f"the training loss is {means[0]} after epoch {epoch}; lower training.learning_rate")
        scores = classification_scores(
            validation.label, ranks.predict(model, validation_loader).predicted, len(validation.classes)
        )
        names = ("train_loss", "train_mse_loss", "train_contrastive_loss", "train_negative_loss")
        yield {
            **dict(zip(names, means, strict=True)),
            "validation_weighted_f1": scores["weighted_f1"],
            "validation_accuracy": scores["accuracy"],
        }
