"""Objectives of a search: validation scores of what a trial trains, and none of test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from fmerl.config import CellConfig
from fmerl.model import System
from fmerl.training.batching import BatchLoader
from fmerl.training.cell import seen_splits
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import predict
from fmerl.training.loop import build_model, deterministic, train_epochs
from fmerl_platform.studies.zero_shot.pseudo_unseen import pseudo_unseen_class

ObjectiveName = Literal["weighted-f1", "unseen-accuracy"]
WEIGHTED_F1: ObjectiveName = "weighted-f1"
UNSEEN_ACCURACY: ObjectiveName = "unseen-accuracy"


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A score to maximise, of a training of its own, at the epoch that each seed would report so far."""

    name: ObjectiveName
    held_out: tuple[str, ...] = ()
    """Classes that no training for it learns. The last is a seen one that stands in for the others: its validation
    utterances are scored, and no label of the others counts."""

    @property
    def metric(self) -> str:
        """Name of its values in Tune and MLflow."""
        return "objective" if self.name == WEIGHTED_F1 else "unseen_accuracy"

    @property
    def text(self) -> str:
        """Its name in tables and sentences."""
        return "weighted F1" if self.name == WEIGHTED_F1 else f"accuracy on unseen {self.held_out[-1]}"

    def scores(
        self, cell: CellConfig, data: ConversationData, anchors: Any, seed: int, device: torch.device
    ) -> Iterator[float]:
        """Train one seed, yielding its score after each epoch; see `trial_scores`."""
        config = cell.changed(training__unseen_classes=self.held_out) if self.held_out else cell
        seen = seen_splits(config, data)
        model = build_model(config, seen.subset("train"), anchors, seed).to(device)
        of_unseen = _unseen_accuracy(model, data.subset("validation"), self.held_out) if self.held_out else None
        best, score = -1.0, 0.0
        for metrics in train_epochs(model, seen, seed, device):
            weighted_f1 = metrics["validation_weighted_f1"]
            if config.training.selection == "last" or weighted_f1 > best:
                best, score = weighted_f1, of_unseen() if of_unseen else weighted_f1
            yield score


def objective_of(name: ObjectiveName, data: ConversationData, unseen: Sequence[str]) -> Objective:
    """An objective on a corpus.

    Args:
        name: Its name.
        data: The corpus.
        unseen: Classes that the corpus's zero-shot study holds out.

    Raises:
        InputError: Too few seen classes for one of them to stand in for the unseen ones.
    """
    if name == WEIGHTED_F1:
        return Objective(name=name)
    stand_in = pseudo_unseen_class(data, unseen, f"--objective {name}")
    return Objective(name=name, held_out=(*unseen, stand_in))


def trial_scores(
    objectives: Sequence[Objective],
    cell: CellConfig,
    data: ConversationData,
    anchors: Any,
    seeds: Sequence[int],
    device: torch.device,
    *,
    one_by_one: bool = False,
) -> Iterator[dict[str, float]]:
    """Train all seeds of a trial.

    Args:
        objectives: Each trains models of its own.
        cell: Configuration of the trial.
        data: Train and validation splits.
        anchors: Encoded descriptions in label order, [C, E].
        seeds: Seeds to train.
        device: Device to train on.
        one_by_one: Train one seed after the other, in place of an epoch of each at a time.

    Yields:
        Means over seeds by metric: after each epoch, or one by one after each seed, over those that have ended.
    """
    with deterministic(cell.training.threads):
        runs = [
            zip(*(each.scores(cell, data, anchors, seed, device) for each in objectives), strict=True) for seed in seeds
        ]
        if one_by_one:
            ended = []
            for run in runs:
                *_, last = run
                ended.append(last)
                yield _means(objectives, ended)
        else:
            for epoch in zip(*runs, strict=True):
                yield _means(objectives, epoch)


def _means(objectives: Sequence[Objective], seeds: Sequence[Sequence[float]]) -> dict[str, float]:
    """Means by metric of the objectives' scores, of each seed."""
    means = (sum(scores) / len(seeds) for scores in zip(*seeds, strict=True))
    return dict(zip((each.metric for each in objectives), means, strict=True))


def _unseen_accuracy(model: System, validation: ConversationData, held_out: Sequence[str]) -> Callable[[], float]:
    """Accuracy of a model, as it stands, on validation utterances of the last class; the others are no candidates."""
    *truly_unseen, stand_in = [validation.classes.index(name) for name in held_out]
    rows = validation.label == stand_in
    device = next(model.parameters()).device
    loader = BatchLoader(validation, model.config.tables, model.config.training, device)

    def accuracy() -> float:
        scores = predict(model, loader).scores[rows].astype(np.float64)
        scores[:, truly_unseen] = -np.inf
        return float((scores.argmax(1) == stand_in).mean())

    return accuracy
