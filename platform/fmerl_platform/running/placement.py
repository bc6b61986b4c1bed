"""What a cell occupies, and how many fit on which node at once."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping, Sequence

import ray
import torch

from fmerl_platform.report.table import Table, columns
from fmerl_platform.running.options import Node, Resources


def nodes_at_hand() -> list[Node]:
    """Living nodes of the connected Ray cluster."""
    return [_node(item["NodeManagerAddress"], item["Resources"]) for item in ray.nodes() if item["Alive"]]


def nodes_to_expect() -> list[Node]:
    """Where a run would take place: the cluster of `RAY_ADDRESS`, or one that is connected, or this machine."""
    if ray.is_initialized():
        return nodes_at_hand()
    if os.environ.get("RAY_ADDRESS", "local") == "local":
        return [Node("this machine", float(os.cpu_count() or 1), float(torch.cuda.device_count()))]
    ray.init(logging_level=logging.ERROR)
    try:
        return nodes_at_hand()
    finally:
        ray.shutdown()


def placement_table(nodes: Sequence[Node], resources: Resources, cells: int, workers: int, unit: str = "cell") -> Table:
    """What would run where.

    Args:
        nodes: At hand.
        resources: Of each worker.
        cells: How many there are.
        workers: Of each cell.
        unit: What the table calls a cell.

    Raises:
        InputError: As `Resources.slots`.
    """
    slots = resources.slots(nodes, workers)
    needs = f"{workers} x ({resources.cpus_per_cell:g} CPU, {resources.gpus_per_cell:g} GPU)"
    return Table(
        name="placement",
        caption=f"{min(cells, slots)} of {cells} {unit}s at once, in about {math.ceil(cells / slots)} rounds",
        columns=columns("node", "CPUs", "GPUs", "workers it holds"),
        rows=tuple((node.name, f"{node.cpus:g}", f"{node.gpus:g}", str(resources.workers_on(node))) for node in nodes),
        notes=(f"a {unit} takes {needs}",),
    )


def _node(name: str, resources: Mapping[str, float]) -> Node:
    return Node(name, resources.get("CPU", 0.0), resources.get("GPU", 0.0))
