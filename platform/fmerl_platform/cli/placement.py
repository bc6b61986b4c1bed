"""Table of what would run where."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fmerl_platform.report.table import Table, columns
from fmerl_platform.running.options import Node, Resources


def placement_table(nodes: Sequence[Node], resources: Resources, cells: int, workers: int, unit: str = "cell") -> Table:
    """Table of what would run where.

    Args:
        nodes: Nodes at hand.
        resources: Resources of each worker.
        cells: Number of cells.
        workers: Workers of each cell.
        unit: Word for a cell in the table.

    Raises:
        InputError: See `Resources.slots`.
    """
    slots = resources.slots(nodes, workers)
    return Table(
        name="placement",
        caption=f"{min(cells, slots)} of {cells} {unit}s at once, in about {math.ceil(cells / slots)} rounds",
        columns=columns("node", "CPUs", "GPUs", "workers it holds"),
        rows=tuple((node.name, f"{node.cpus:g}", f"{node.gpus:g}", str(resources.workers_on(node))) for node in nodes),
        notes=(f"a {unit} takes {resources.needs(workers)}",),
    )
