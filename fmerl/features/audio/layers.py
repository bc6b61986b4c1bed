"""Layers of a network that are read together: one, or a mean of several with fixed weights.

Layer 0 is what enters the first transformer layer, layer L is the network's output. L is the number of its layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

ALL = "all"
Layers = tuple[tuple[int, float], ...]
"""Layers with their weights, as they were given."""


def parse_layers(names: Sequence[str]) -> Layers | None:
    """Layers that names such as `9`, `-1` or `6:0.5` stand for; None for `all`. A weight is 1 unless it is given.

    Raises:
        ValueError: No name, one that is no layer, a weight that is not positive, or `all` beside others.
    """
    if tuple(names) == (ALL,):
        return None
    if not names:
        raise ValueError("audio layers must name at least one")
    return tuple(map(_parsed, names))


def named_layers(layers: Layers) -> list[str]:
    """Names that `parse_layers` reads back."""
    return [str(layer) if weight == 1 else f"{layer}:{weight!r}" for layer, weight in layers]


def layers_of(wanted: Layers | None, last: int) -> Layers:
    """Layers counted from 0 of a network of `last` layers; None is all of them alike.

    Raises:
        ValueError: A layer beyond the last, or one that stands there twice.
    """
    if wanted is None:
        return tuple((layer, 1.0) for layer in range(last + 1))
    for layer, _ in wanted:
        if not -last - 1 <= layer <= last:
            raise ValueError(f"there is no layer {layer}")
    found = tuple((layer % (last + 1), weight) for layer, weight in wanted)
    if len({layer for layer, _ in found}) < len(found):
        raise ValueError(f"a layer stands twice in {' '.join(named_layers(found))}")
    return found


def _parsed(name: str) -> tuple[int, float]:
    layer, _, weight = name.partition(":")
    try:
        found = int(layer), float(weight or 1)
    except ValueError:
        raise ValueError(f"audio layers must be numbers, LAYER:WEIGHT or {ALL} alone, not {name!r}") from None
    if not (found[1] > 0 and isfinite(found[1])):
        raise ValueError(f"weights of audio layers must be positive numbers, not {weight}")
    return found
