"""Test data as a condition leaves it. The same data and condition give the same features to every system and seed.

Shapes: U utterances, D width of a modality.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fmerl.conditions.condition import Condition
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import random_state

_SEED = 0
"""Seed of noise and of what is dropped: no cell's, so that all cells are tested on the same features."""


def corrupted_test(data: ConversationData, condition: Condition) -> ConversationData:
    """The test split under a condition; modalities that the data do not hold are left out.

    Args:
        data: All three splits; noise is measured against train's mean, and draws nothing else from it.
        condition: What to do to which modalities.
    """
    test = data.subset("test")
    features, missing = dict(test.features), dict(test.missing)
    for modality in condition.modalities:
        if modality not in features:
            continue
        values, absent = features[modality], missing[modality]
        if condition.corruption == "snr":
            train = data.subset("train")
            centre = _mean(train.features[modality], ~train.missing[modality])
            values = _with_noise(values, ~absent, centre, condition.amount, _generator("noise", modality))
        elif condition.corruption == "delay":
            values, absent = _delayed(values, absent, test.offsets, int(condition.amount))
        else:  # the utterances of a smaller share are among those of a larger one
            absent = absent | (_generator("drop", modality).random(len(absent)) < condition.amount)
        features[modality], missing[modality] = np.where(absent[:, None], np.float32(0), values), absent
    return replace(test, features=features, missing=missing)


def _with_noise(
    values: NDArray[np.float32],
    present: NDArray[np.bool_],
    centre: NDArray[np.float64],
    decibels: float,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Features [U, D] with white noise at a signal-to-noise ratio in each column.

    The signal is what standardised features hold: the deviation from train's mean, whose power is its mean square over
    the observed test utterances. Its ratio to the noise's power is the same in standardised units and in the features'
    own. Another ratio scales the same noise.
    """
    noise = generator.standard_normal(values.shape)
    if not present.any():
        return values
    power = np.square(values[present] - centre).mean(axis=0)
    return (values + np.sqrt(power * 10 ** (-decibels / 10)) * noise).astype(np.float32)


def _delayed(
    values: NDArray[np.float32], absent: NDArray[np.bool_], offsets: NDArray[np.int64], turns: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Each turn with the features of `turns` turns earlier; missing where the dialogue had not begun."""
    rows = np.arange(len(values))
    first = np.repeat(offsets[:-1], np.diff(offsets))
    source = np.maximum(rows - turns, first)
    return values[source], absent[source] | (rows - turns < first)


def _mean(values: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of each column over the observed rows, 0 without any, [D]."""
    return values[present].mean(axis=0, dtype=np.float64) if present.any() else np.zeros(values.shape[1])


def _generator(purpose: str, modality: str) -> np.random.Generator:
    return np.random.default_rng(random_state(_SEED, purpose, modality))
