"""Optimisation of a cell and the choice of its reported epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fmerl.config.section import Section


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Section):
    """Optimisation and the choice of the reported epoch."""

    learning_rate: float = 1e-4
    """Adam's learning rate."""
    weight_decay: float = 1e-5
    """Adam's L2 penalty (SDT)."""
    epochs: int = 150
    batch_size: int = 16
    """Size of a batch in `batch_unit`."""
    batch_unit: Literal["dialogues", "utterances"] = "dialogues"
    """`utterances` fills a batch with whole dialogues until it holds at least `batch_size` utterances."""
    selection: Literal["validation", "last"] = "validation"
    """The reported epoch: first best validation weighted F1, or the last."""
    train_on_validation: bool = False
    """Train on validation as well; then only `selection = last` is honest and allowed."""
    unseen_classes: tuple[str, ...] = ()
    """Zero-shot: classes whose labels and scores never reach training or selection."""
    unseen_utterances: Literal["context", "deleted"] = "context"
    """Fate of their utterances: unlabelled context, or gone from the dialogue."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16`: matrix products of forward and loss under autocast; weights and optimiser stay float32."""
    workers: int = 1
    """Processes that train one cell together (DDP), each on its share of every batch. Losses are those of one process,
    dropout masks are not."""
    threads: int = 1
    """CPU threads of each process; part of the fingerprint because the order of sums depends on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learning_rate <= 0 or self.weight_decay < 0:
            raise ValueError("learning_rate must be positive and weight_decay not negative")
        if min(self.epochs, self.batch_size, self.workers, self.threads) < 1:
            raise ValueError("epochs, batch_size, workers and threads must be at least 1")
        if self.train_on_validation and self.selection != "last":
            raise ValueError("train_on_validation needs selection = last: validation can no longer select")
