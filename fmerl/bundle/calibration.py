"""Probabilities of classes, at the temperature that fits the validation split.

Shapes: S models (seeds), U utterances, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax

_LOG_TEMPERATURES = (-7.0, 5.0)


def probabilities(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Softmax of scores over a temperature, [..., C]."""
    result: NDArray[np.float64] = softmax(scores.astype(np.float64) / temperature, axis=-1)
    return result


def fit_temperature(scores: NDArray[np.float32], gold: NDArray[np.int64]) -> float:
    """Temperature at which the models' mean probabilities are likeliest (Guo et al. 2017, there of one model).

    Args:
        scores: Scores of each model, [S, U, C].
        gold: Class indices, [U]; without any utterance the temperature is 1.
    """
    if not len(gold):
        return 1.0
    own = scores.astype(np.float64)

    def loss(log_temperature: float) -> float:
        logs = log_softmax(own / np.exp(log_temperature), axis=-1)[:, np.arange(len(gold)), gold]
        return float(-(logsumexp(logs, axis=0) - np.log(len(own))).mean())

    found = minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
