"""Resources of a cell, and the files it leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fmerl.errors import InputError

_ROUNDING = 1e-6
"""Tolerance for rounding; Ray counts resources in steps of 1e-4."""


@dataclass(frozen=True)
class Node:
    """One machine of a cluster."""

    name: str
    cpus: float
    gpus: float


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Resources of each worker of a cell: CPUs, and a GPU, several, or a share of one."""

    cpus_per_cell: float = 1.0
    """CPUs of each worker of a cell."""
    gpus_per_cell: float = 0.0
    """GPUs likewise; fractions share a GPU."""
    cells_at_once: int | None = None
    """As many as the nodes at hand hold unless given; more lets the nodes grow."""

    def __post_init__(self) -> None:
        for name, value in (("CPUs", self.cpus_per_cell), ("GPUs", self.gpus_per_cell)):
            if not 0 <= value < math.inf:
                raise InputError("resources of a cell", f"{value} {name}", "give 0 or more")
        if self.gpus_per_cell > 1 and self.gpus_per_cell % 1:
            raise InputError("resources of a cell", f"{self.gpus_per_cell} GPUs", "give whole GPUs, or a share of one")
        if not self.cpus_per_cell and not self.gpus_per_cell:
            raise InputError("resources of a cell", "neither CPU nor GPU", "give one of them")
        if self.cells_at_once is not None and self.cells_at_once < 1:
            raise InputError("resources of a cell", f"{self.cells_at_once} at once", "give at least 1")

    @property
    def by_name(self) -> dict[str, float]:
        """Resources of a worker as Ray names them."""
        return {"CPU": self.cpus_per_cell, "GPU": self.gpus_per_cell}

    def needs(self, workers: int) -> str:
        """Resources of a cell of so many workers, in words."""
        return f"{workers} x ({self.cpus_per_cell:g} CPU, {self.gpus_per_cell:g} GPU)"

    def workers_on(self, node: Node) -> int:
        """Workers that fit on a node at once. A share of a GPU lies on one GPU: .75 fits once on each."""
        fits = [math.inf]
        if self.cpus_per_cell:
            fits.append(math.floor(node.cpus / self.cpus_per_cell + _ROUNDING))
        if self.gpus_per_cell >= 1:
            fits.append(math.floor(node.gpus / self.gpus_per_cell + _ROUNDING))
        elif self.gpus_per_cell:
            fits.append(math.floor(node.gpus + _ROUNDING) * math.floor(1 / self.gpus_per_cell + _ROUNDING))
        return int(min(fits))

    def slots(self, nodes: Sequence[Node], workers: int = 1) -> int:
        """Cells that run at once: as asked, else as many as the nodes hold.

        Args:
            nodes: Nodes at hand.
            workers: Workers of each cell; they may lie on different nodes.

        Raises:
            InputError: Not even one cell fits, and the cluster is not said to grow.
        """
        if self.cells_at_once is not None:
            return self.cells_at_once
        slots = sum(self.workers_on(node) for node in nodes) // workers
        if not slots:
            has = "; ".join(f"{node.name}: {node.cpus:g} CPU, {node.gpus:g} GPU" for node in nodes)
            remedy = "ask for less, add nodes, or give --cells-at-once (--trials-at-once) where the cluster grows"
            raise InputError("cluster", f"no cell that needs {self.needs(workers)} ever fits ({has})", remedy)
        return slots


@dataclass(frozen=True, kw_only=True)
class KeepOptions:
    """Files that cells leave besides their results."""

    keep_weights: bool = False
    """Keep each cell's model, with the selected epoch's weights, as an artifact of its run, for fmerl export and
    fmerl predict."""
    checkpoint_seconds: float = 30.0
    """Least time between two saved states of an unfinished cell."""

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint_seconds < math.inf:
            raise InputError("--checkpoint-seconds", f"{self.checkpoint_seconds} is no time", "give seconds from 0 up")
