"""Floating-point operations that a cell's arithmetic needs, and the rate at which the machine multiplies matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from fmerl.model import FMERL
from fmerl.model.batch import Batch


def useful_flops(model: FMERL, batch: Batch, training: bool) -> float:
    """Operations of a batch's matrix products, two per multiply-add; no padding, no elementwise work, no optimiser.

    Forward, H width, M modalities, P = M^2 encoders, T turns of a dialogue, K regression nets of L hidden layers,
    E width and C number of anchors:

        per utterance  sum_m D_m H + (3 + 1 + 2 + g + r) P H^2 + r M H^2 + K (L H^2 + H) + a H E + E C
        per dialogue   2 P T^2 H

    multiply-adds, where g = 1 with learned unimodal gates, r = 1 for M > 1, a = 1 for E other than H. Training takes
    three times that: a gradient for either factor of a product; but none for features and frozen anchors.
    """
    config, anchors = model.config, model.alignment.anchors
    width, modalities = config.backbone.hidden, len(config.backbone.modalities)
    encoders, rows = modalities**2, len(batch.rows)
    learned, several = config.backbone.unimodal_gate == "learned", modalities > 1
    classes, space = anchors.shape
    features = rows * width * sum(values.shape[1] for values in batch.features.values())
    matching = rows * space * classes
    layers = rows * (
        ((6 + learned + several) * encoders + several * modalities) * width**2
        + len(config.regression.dimensions) * (config.regression.hidden_layers * width**2 + width)
        + (space != width) * width * space
    )
    attention = 2 * encoders * width * sum(dialogues * turns**2 for dialogues, turns in batch.runs)
    if not training:
        return 2.0 * (features + matching + layers + attention)
    return 2.0 * (2 * features + 2 * matching + 3 * (layers + attention))


def counted_flops(model: FMERL, batch: Batch) -> float:
    """What PyTorch counts of one training step on this batch: the formula's check."""
    with FlopCounterMode(display=False) as counter:
        model.loss(model(batch), batch).total.backward()
    model.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


def gemm_rate(clock: Callable[[], float], size: int = 2048, repeats: int = 4) -> float:
    """Best rate of a square single-precision product into memory that is there already, in operations per second."""
    left, right, out = (torch.rand(size, size) for _ in range(3))
    seconds = []
    for _ in range(repeats):
        started = clock()
        torch.mm(left, right, out=out)
        seconds.append(clock() - started)
    return 2.0 * size**3 / min(seconds)
