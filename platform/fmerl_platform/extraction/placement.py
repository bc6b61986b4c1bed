"""Placement of extraction's workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fmerl.errors import InputError
from fmerl.features.encoder import EncoderSpec
from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Node, Placement, place

_GIBIBYTES = 5.0
"""Memory of an encoder on a GPU: RoBERTa-large in float32, with all hidden states of 64 texts of 256 tokens."""


def place_workers(spec: EncoderSpec, resources: Resources, nodes: Sequence[Node]) -> Placement:
    """Placement of an encoder's workers: on GPUs where there are some and it has use for one.

    Raises:
        InputError: No node holds a worker.
    """
    if not spec.uses_gpu and resources.gpus_per_cell == "auto":
        resources = replace(resources, gpus_per_cell=0.0)
    placement = place(replace(resources, cells_at_once=1), nodes, gibibytes=_GIBIBYTES)
    held = sum(map(placement.workers_on, nodes))
    if not held:
        what = f"no node holds a worker of {placement.cpus:g} CPUs and {placement.gpus:g} GPUs"
        raise InputError("cluster", what, "give less to --cpus-per-worker or --gpus-per-worker")
    return replace(placement, at_once=held if resources.cells_at_once == "auto" else resources.cells_at_once)
