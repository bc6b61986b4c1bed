"""Reference without context or method: logistic regression on the same features, one utterance at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import classification_scores
from fmerl_platform.ledger.results import CorpusCells, labelled_predictions
from fmerl_platform.statistics import Comparison, compare

REFERENCE = "logistic regression"
_INVERSE_PENALTIES = (0.001, 0.01, 0.1, 1.0)


def logistic_regression(data: ConversationData) -> np.ndarray:
    """Predicted class of every labelled test utterance, in row order; the penalty is picked on validation.

    Args:
        data: All modalities' features are concatenated, [U, sum of D_m], and standardised on train.
    """
    train, validation, test = (data.subset(split) for split in ("train", "validation", "test"))
    best_score, best = -1.0, np.empty(0)
    for penalty in _INVERSE_PENALTIES:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
        model.fit(*_labelled(train))
        features, gold = _labelled(validation)
        score = classification_scores(gold, model.predict(features), len(data.classes))["weighted_f1"]
        if score > best_score:
            best_score, best = score, model.predict(_labelled(test)[0])
    return best


def against_reference(results: CorpusCells, data: ConversationData) -> tuple[float, Comparison]:
    """The reference's weighted F1 on test, and the control's lead over it, paired on the same dialogues."""
    control = [labelled_predictions(cell, results.classes) for cell in results.of_variant(results.control)]
    predicted = logistic_regression(data)
    reference = [replace(cell, predicted=predicted) for cell in control]
    score = classification_scores(control[0].gold, predicted, len(results.classes))["weighted_f1"]
    return score, compare(reference, {results.control: control}, len(results.classes))[results.control]


def _labelled(data: ConversationData) -> tuple[np.ndarray, np.ndarray]:
    known = data.label >= 0
    return np.concatenate([values[known] for values in data.features.values()], axis=1), data.label[known]
