"""Predictions of a model and the scores the field reports.

Shapes: U utterances, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import SPLITS
from fmerl.model import System
from fmerl.model.batch import Batch
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData


class Predictions(NamedTuple):
    """A model's output for every row of a `ConversationData`."""

    scores: NDArray[np.float32]
    """Scores of each class, [U, C]; for FMERL the cosine with its anchor."""
    vad: NDArray[np.float32]
    """VAD in the labels' range, NaN where there is no net, [U, 3]."""

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class of the highest score (Eq. 11), [U]."""
        return self.scores.argmax(1)


def predict(model: System, loader: BatchLoader) -> Predictions:
    """Predictions in the rows' own order; leaves the model in evaluation mode."""
    return arranged(predict_batches(model, loader.in_order()))


@torch.inference_mode()
def predict_batches(model: System, batches: Iterable[Batch]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Rows [N], scores [N, C] and VAD [N, 3] of each batch, on the CPU; leaves the model in evaluation mode."""
    if model.training:  # else a live turn would spend a tenth of its time on telling every layer again
        model.eval()
    found = []
    for batch in batches:
        output = model(batch)
        found.append((batch.rows, output.scores.float(), model.vad_scores(output).float()))
    return [(rows.cpu(), scores.cpu(), vad.cpu()) for rows, scores, vad in found]


def arranged(predicted: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Predictions:
    """Output of `predict_batches`, in the rows' own order."""
    rows, scores, vad = (torch.cat(parts) for parts in zip(*predicted, strict=True))
    order = rows.argsort()
    return Predictions(scores[order].numpy(), vad[order].numpy())


def classification_scores(gold: NDArray[np.int64], predicted: NDArray[np.int64], n_classes: int) -> dict[str, float]:
    """Weighted F1, accuracy and macro F1 over rows that have a target, in [0, 1].

    Macro F1 averages over the classes that occur in `gold`.
    """
    from sklearn.metrics import accuracy_score, f1_score  # starts slowly, and a command that trains nothing needs none

    known = gold >= 0
    if not known.any():
        raise ValueError("no row has a target to score")
    gold, predicted = gold[known], predicted[known]
    labels: Sequence[int] = range(n_classes)
    present = np.unique(gold)
    return {
        "weighted_f1": float(f1_score(gold, predicted, labels=labels, average="weighted", zero_division=0)),
        "accuracy": float(accuracy_score(gold, predicted)),
        "macro_f1": float(f1_score(gold, predicted, labels=present, average="macro", zero_division=0)),
    }


def prediction_table(data: ConversationData, predictions: Predictions) -> pa.Table:
    """The ledger's rows of a `ConversationData`."""
    names = np.array([*data.classes, None], dtype=object)
    return prediction_rows(
        utterance_id=data.utterance_id,
        dialogue_id=data.dialogue_id,
        turn=data.turn,
        speaker=data.speaker_name,
        split=np.repeat(np.array(SPLITS)[data.split], np.diff(data.offsets)),
        gold=names[data.label],
        predicted=names[predictions.predicted],
        scores=predictions.scores,
        vad=predictions.vad,
    )


def condition_table(data: ConversationData, name: str, predictions: Predictions) -> pa.Table:
    """The ledger's rows under a condition: those of `prediction_table` and its name as `condition`."""
    return prediction_table(data, predictions).append_column("condition", pa.array([name] * len(data.label)))


def prediction_rows(
    *, gold: Any, predicted: Any, scores: NDArray[np.float32], vad: NDArray[np.float32], **columns: Any
) -> pa.Table:
    """The ledger's rows, one per utterance: all that any table, figure or test needs without training again.

    Args:
        gold: Classes by name, None without a target, [U].
        predicted: Classes by name, None without an answer, [U].
        scores: One per class, [U, C].
        vad: Predicted valence, arousal and dominance, NaN where there is none, [U, 3].
        columns: `utterance_id`, `dialogue_id`, `turn`, `speaker` and `split`, [U] each.
    """
    offsets = pa.array(np.arange(len(scores) + 1) * scores.shape[1], pa.int32())
    return pa.table(
        {
            **columns,
            "gold": pa.array(gold, pa.string()),
            "predicted": pa.array(predicted, pa.string()),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(scores.reshape(-1), pa.float32())),
            # NaN becomes null.
            **{name: pa.array(vad[:, column], from_pandas=True) for column, name in enumerate(DIMENSIONS)},
        }
    )
