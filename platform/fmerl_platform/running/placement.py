"""What a cell occupies, and how many fit on which node at once."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ray
import torch
from rich.table import Table

from fmerl.errors import InputError

_ROUNDING = 1e-6
"""Ray counts resources in steps of 1e-4."""


@dataclass(frozen=True)
class Node:
    """One machine of a cluster."""

    name: str
    cpus: float
    gpus: float


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What each worker of a cell occupies: CPUs, and a GPU, several, or a share of one."""

    cpus: float = 1.0
    gpus: float = 0.0
    cells_at_once: int | None = None
    """None: as many as the nodes at hand hold. On a cluster that grows: as many as it may grow to."""

    def __post_init__(self) -> None:
        for name, value in (("CPUs", self.cpus), ("GPUs", self.gpus)):
            if not 0 <= value < math.inf:
                raise InputError("resources of a cell", f"{value} {name}", "give 0 or more")
        if self.gpus > 1 and self.gpus % 1:
            raise InputError("resources of a cell", f"{self.gpus} GPUs", "give whole GPUs, or a share of one")
        if not self.cpus and not self.gpus:
            raise InputError("resources of a cell", "neither CPU nor GPU", "give one of them")
        if self.cells_at_once is not None and self.cells_at_once < 1:
            raise InputError("resources of a cell", f"{self.cells_at_once} at once", "give at least 1")

    def workers_on(self, node: Node) -> int:
        """Workers that fit on a node at once. A share of a GPU lies on one GPU: .75 fits once on each."""
        fits = [math.inf]
        if self.cpus:
            fits.append(math.floor(node.cpus / self.cpus + _ROUNDING))
        if self.gpus >= 1:
            fits.append(math.floor(node.gpus / self.gpus + _ROUNDING))
        elif self.gpus:
            fits.append(math.floor(node.gpus + _ROUNDING) * math.floor(1 / self.gpus + _ROUNDING))
        return int(min(fits))

    def slots(self, nodes: Sequence[Node], workers: int = 1) -> int:
        """Cells that run at once: as asked, else as many as the nodes hold.

        Args:
            nodes: At hand.
            workers: Of each cell; they may lie on different nodes.

        Raises:
            InputError: Not even one cell fits, and the cluster is not said to grow.
        """
        if self.cells_at_once is not None:
            return self.cells_at_once
        slots = sum(self.workers_on(node) for node in nodes) // workers
        if not slots:
            needs = f"{workers} x ({self.cpus:g} CPU, {self.gpus:g} GPU)"
            has = "; ".join(f"{node.name}: {node.cpus:g} CPU, {node.gpus:g} GPU" for node in nodes)
            remedy = "ask for less, add nodes, or give --cells-at-once (--trials-at-once) where the cluster grows"
            raise InputError("cluster", f"no cell that needs {needs} ever fits ({has})", remedy)
        return slots


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
    table = Table(title=f"{min(cells, slots)} of {cells} {unit}s at once, in about {math.ceil(cells / slots)} rounds")
    for heading in ("node", "CPUs", "GPUs", "workers it holds"):
        table.add_column(heading)
    for node in nodes:
        table.add_row(node.name, f"{node.cpus:g}", f"{node.gpus:g}", str(resources.workers_on(node)))
    table.caption = f"a {unit} takes {workers} x ({resources.cpus:g} CPU, {resources.gpus:g} GPU)"
    return table


def _node(name: str, resources: Mapping[str, float]) -> Node:
    return Node(name, resources.get("CPU", 0.0), resources.get("GPU", 0.0))
