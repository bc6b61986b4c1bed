"""Features of synthetic turns; `fmerl.synthetic.corpus` has the equations."""

from __future__ import annotations

import math

import numpy as np

from fmerl.synthetic.spec import ModalitySpec
from fmerl.synthetic.turns import Turns

_VOICE_FACTORS = 4


def modality_features(
    modality: ModalitySpec, turns: Turns, classes: int, seed: np.random.SeedSequence
) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [U, D], zeros where missing, and missing bool [U].

    Args:
        classes: C.
        seed: Spawned into streams for expression, voices, the map, sensor noise and missing rows.
    """
    expression, voices, weights, sensor, missing = (np.random.default_rng(part) for part in seed.spawn(5))
    shown = [modality.loading * turns.latent, modality.class_signal * np.eye(classes)[turns.emotion]]
    factors = np.concatenate(shown, axis=1)
    factors += modality.expression_noise * expression.standard_normal(factors.shape)
    voice_of = voices.standard_normal((turns.dialogue.max() + 1, turns.speaker.max() + 1, _VOICE_FACTORS))
    factors = np.hstack([factors, modality.voice * voice_of[turns.dialogue, turns.speaker]]).astype(np.float32)
    mixing = weights.standard_normal((factors.shape[1], modality.width), dtype=np.float32)
    # einsum and not @: its sums have the same order whatever number of threads BLAS would take.
    features = np.tanh(np.einsum("uk,kd->ud", factors, mixing / np.float32(math.sqrt(len(mixing)))))
    features += np.float32(modality.sensor_noise) * sensor.standard_normal(features.shape, dtype=np.float32)
    absent = missing.random(len(features)) < modality.missing_rate
    features[absent] = 0
    return features, absent
