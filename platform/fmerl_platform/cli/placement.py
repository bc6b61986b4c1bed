"""Table of what would run where."""

from __future__ import annotations

import math

from fmerl_platform.report.table import Table, columns
from fmerl_platform.running.placement import Placement


def placement_table(placement: Placement, cells: int, unit: str = "cell") -> Table:
    """Table of what would run where.

    Args:
        placement: Settled resources and nodes.
        cells: Number of cells.
        unit: Word for a cell in the table.
    """
    at_once = placement.at_once
    return Table(
        name="placement",
        caption=f"{min(cells, at_once)} of {cells} {unit}s at once, in about {math.ceil(cells / at_once)} rounds",
        columns=columns("node", "up to", "CPUs", "GPUs", "GiB of a GPU", "workers it holds"),
        rows=tuple(
            (
                node.name,
                str(node.count),
                f"{node.cpus:g}",
                f"{node.gpus:g}",
                f"{node.gpu_gibibytes:g}" if node.gpus else "-",
                str(placement.workers_on(node)),
            )
            for node in placement.nodes
        ),
        notes=(f"a {unit} takes {placement.needs}",),
    )
