"""The models of a bundle, and what they say together about conversations.

Shapes: S models (seeds), U utterances, C classes, E width of the anchors.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fmerl.bundle.calibration import probabilities
from fmerl.bundle.manifest import Manifest
from fmerl.model import FMERL, ModelInputs, System, create_system
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import Predictions, predict


@dataclass(frozen=True, eq=False)
class JointPredictions:
    """Output of S models for U utterances."""

    scores: NDArray[np.float32]
    """Scores of each model, as the ledger keeps them, [S, U, C]."""
    probabilities: NDArray[np.float64]
    """Mean of the models' calibrated probabilities, [U, C]."""
    vad: NDArray[np.float32]
    """Mean valence, arousal and dominance in the labels' range, NaN where no model predicts them, [U, 3]."""
    agreement: NDArray[np.float64]
    """Share of the models that predict the same class by themselves, [U]."""
    spread: NDArray[np.float64]
    """Deviation over the models of the predicted class's probability (ddof = 1), NaN for one model, [U]."""

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The likeliest class, [U]."""
        return self.probabilities.argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Bundle:
    """Trained models of the same variant, one for each seed, ready to predict."""

    manifest: Manifest
    models: tuple[System, ...]
    anchors: Tensor
    """The classes' descriptions through the anchor encoder, neither centred nor normalised, [C, E]."""
    centre: Tensor
    """Subtracted from every anchor, [E]: the trained classes' mean, or zero."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of scores and probabilities."""
        return self.manifest.classes

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that the models read."""
        return tuple(self.manifest.widths)

    def predict(self, data: ConversationData, device: torch.device | None = None) -> JointPredictions:
        """Predictions in the rows' own order.

        Args:
            data: Conversations, with the features of every modality that is read.
            device: By default the first GPU where there is one, else the CPU.
        """
        device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        config = self.manifest.cell_config()
        loader = BatchLoader(data, self.modalities, config.training, device)
        return self.joint([predict(model.to(device), loader) for model in self.models])

    def joint(self, found: Sequence[Predictions]) -> JointPredictions:
        """Each model's predictions of the same utterances as one."""
        scores = np.stack([each.scores for each in found])
        own = probabilities(scores, self.manifest.temperature)
        mean = own.mean(axis=0)
        chosen = mean.argmax(axis=1)
        of_chosen = own[:, np.arange(len(chosen)), chosen]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice")
            vad = np.nanmean(np.stack([each.vad for each in found]), axis=0)
        alone = len(self.models) == 1
        return JointPredictions(
            scores=scores,
            probabilities=mean,
            vad=vad,
            agreement=(own.argmax(axis=2) == chosen).mean(axis=0),
            spread=np.full(len(chosen), np.nan) if alone else of_chosen.std(axis=0, ddof=1),
        )

    def with_anchors(self, classes: Sequence[str], texts: Sequence[str], anchors: Tensor) -> Bundle:
        """The same models with other classes; only FMERL's are read off anchors alone.

        Args:
            classes: C' classes.
            texts: Their anchors' texts.
            anchors: Their anchors, encoded as those of this bundle, [C', E].
        """
        models = []
        for model in self.models:
            other = deepcopy(model)
            assert isinstance(other, FMERL)
            other.alignment.anchors = F.normalize(anchors - self.centre, dim=1)
            models.append(other)
        counts = dict(zip(self.classes, self.manifest.train_counts, strict=True))
        kept = dict(zip(self.classes, self.manifest.anchor_texts, strict=True))
        manifest = replace(
            self.manifest,
            classes=tuple(classes),
            anchor_texts=tuple(texts),
            train_counts=tuple(
                counts[name] if kept.get(name) == text else 0 for name, text in zip(classes, texts, strict=True)
            ),
        )
        return Bundle(manifest, tuple(models), anchors, self.centre)


def build_bundle(manifest: Manifest, anchors: Tensor, weights: Sequence[Mapping[str, Tensor]]) -> Bundle:
    """Build the models of a bundle.

    Args:
        manifest: Describes them.
        anchors: Encoded descriptions in label order, [C, E].
        weights: State of each model, S of them.

    Raises:
        RuntimeError: Weights of another configuration.
    """
    seen = torch.tensor(manifest.train_counts) > 0
    centred = manifest.cell_config().contrastive.center_anchors
    centre = anchors[seen].mean(0) if centred else torch.zeros(anchors.shape[1])
    return Bundle(manifest, tuple(_build(manifest, anchors, each) for each in weights), anchors, centre)


def _build(manifest: Manifest, anchors: Tensor, weights: Mapping[str, Tensor]) -> System:
    """A model in evaluation mode; the caller's random numbers are not touched."""
    inputs = ModelInputs(
        widths=manifest.widths,
        n_speakers=manifest.n_speakers,
        anchors=anchors,
        vad_range=manifest.vad_range,
        train_counts=manifest.train_counts,
    )
    with torch.random.fork_rng(devices=[]):
        model = create_system(manifest.cell_config(), inputs)
    model.load_state_dict(weights)
    return model.eval()
