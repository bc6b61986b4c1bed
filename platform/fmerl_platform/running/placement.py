"""Placement of cells: what each worker of a cell takes, on which nodes, and how many cells run at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fmerl.errors import InputError
from fmerl_platform.running.options import Resources
from fmerl_platform.study.cells import Cell, CorpusInputs
from fmerl_platform.study.memory import gpu_gibibytes

_ROUNDING = 1e-6
"""Tolerance for rounding; Ray counts resources in steps of 1e-4."""
_FILLED = 0.9
"""Share of a GPU's memory that is given out; the driver and fragments take the rest."""


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, or several that are alike."""

    name: str
    cpus: float
    """CPUs of one machine."""
    gpus: float
    gpu_gibibytes: float = 16.0
    """Memory of each GPU."""
    count: int = 1
    """Number of these machines, as far as the cluster may grow."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What each worker of a cell takes, and where cells run."""

    cpus: float
    """CPUs of a worker."""
    gpus: float
    """GPUs of a worker, or the share of one."""
    gibibytes: float
    """Estimated memory of a worker on a GPU."""
    workers: int
    """Workers of a cell; they may lie on different nodes."""
    nodes: tuple[Node, ...]
    at_once: int
    """Cells at once."""

    @property
    def by_name(self) -> dict[str, float]:
        """Resources of a worker as Ray names them."""
        return {"CPU": self.cpus, "GPU": self.gpus}

    @property
    def needs(self) -> str:
        """Resources of a cell, in words."""
        memory = f"; about {self.gibibytes:.1f} GiB of a GPU each" if self.gpus and self.gibibytes else ""
        return f"{self.workers} x ({self.cpus:g} CPU, {self.gpus:g} GPU){memory}"

    def workers_on(self, node: Node) -> int:
        """Workers that fit on such nodes at once. A share of a GPU lies on one GPU: .75 fits once on each."""
        fits = [math.inf]
        if self.cpus:
            fits.append(math.floor(node.cpus / self.cpus + _ROUNDING))
        if self.gpus >= 1:
            fits.append(math.floor(node.gpus / self.gpus + _ROUNDING))
        elif self.gpus:
            fits.append(math.floor(node.gpus + _ROUNDING) * math.floor(1 / self.gpus + _ROUNDING))
        return int(min(fits)) * node.count


def place(resources: Resources, nodes: Sequence[Node], *, workers: int = 1, gibibytes: float = 0.0) -> Placement:
    """Settle what is left to `auto`.

    GPUs are shared by as many workers as their memory and the node's CPUs allow; workers of one cell get one each,
    since NCCL takes no two on the same. CPUs are a node's over what it holds of such shares.

    Args:
        resources: As asked for.
        nodes: Nodes that there are, or that a growing cluster may have.
        workers: Workers of each cell.
        gibibytes: Estimated memory of a worker on a GPU.

    Raises:
        InputError: Not even one cell fits, and no number of cells at once was given, which says that nodes will come.
    """
    gpus = resources.gpus_per_cell
    if gpus == "auto":
        gpus = _gpu_share(nodes, workers, gibibytes)
    cpus = resources.cpus_per_cell
    if cpus == "auto":
        cpus = _cpu_share(nodes, gpus)
    at_once = 0 if resources.cells_at_once == "auto" else resources.cells_at_once
    placed = Placement(cpus=cpus, gpus=gpus, gibibytes=gibibytes, workers=workers, nodes=tuple(nodes), at_once=at_once)
    if at_once:
        return placed
    at_once = sum(placed.workers_on(node) for node in nodes) // workers
    if not at_once:
        has = "; ".join(f"{node.name}: {node.cpus:g} CPU, {node.gpus:g} GPU" for node in nodes)
        remedy = "ask for less, add nodes, or give --cells-at-once (--trials-at-once) where the cluster grows"
        raise InputError("cluster", f"no cell that needs {placed.needs} ever fits ({has})", remedy)
    return replace(placed, at_once=at_once)


def place_cells(
    cells: Sequence[Cell], corpora: Mapping[str, CorpusInputs], resources: Resources, nodes: Sequence[Node]
) -> Placement:
    """Placement of a study's cells, by the largest of them.

    Raises:
        InputError: See `place`.
    """
    return place(
        resources,
        nodes,
        workers=max(cell.config.training.workers for cell in cells),
        gibibytes=max(
            gpu_gibibytes(config, corpora[corpus].data)
            for corpus, config in {(cell.corpus, cell.config) for cell in cells}
        ),
    )


def _gpu_share(nodes: Sequence[Node], workers: int, gibibytes: float) -> float:
    with_gpus = [node for node in nodes if node.gpus >= 1]
    if not with_gpus or workers > 1:
        return float(bool(with_gpus))
    by_cpus = min(node.cpus / node.gpus for node in with_gpus)
    by_memory = min(_FILLED * node.gpu_gibibytes / gibibytes for node in with_gpus) if gibibytes else math.inf
    sharing = max(1, math.floor(min(by_cpus, by_memory)))
    return math.floor(1e4 / sharing) / 1e4


def _cpu_share(nodes: Sequence[Node], gpus: float) -> float:
    """A node's CPUs over the workers that its GPUs hold; whole ones unless it has fewer than workers."""
    holding = [node for node in nodes if gpus and node.gpus >= max(gpus, 1)]
    if not holding:
        return 1.0
    sharing = math.floor(1 / gpus + _ROUNDING) if gpus < 1 else 1 / gpus
    share = min(node.cpus / (node.gpus * sharing) for node in holding)
    return float(math.floor(share + _ROUNDING)) if share >= 1 else math.floor(1e4 * share) / 1e4
