"""Resources of a cell as they are asked for, and the files it leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fmerl.errors import InputError

Auto = Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Resources of each worker of a cell, as asked for; `fmerl_platform.running.placement` settles what is `auto`."""

    cpus_per_cell: float | Auto = "auto"
    """CPUs of each worker of a cell; auto: beside GPUs its share of the node's, else 1."""
    gpus_per_cell: float | Auto = "auto"
    """GPUs likewise; fractions share a GPU; auto: the share that its memory needs, where there are GPUs or may be."""
    cells_at_once: int | Auto = "auto"
    """Cells at once; auto: as many as the nodes hold that there are, or that a growing cluster may have."""

    def __post_init__(self) -> None:
        for name, value in (("CPUs", self.cpus_per_cell), ("GPUs", self.gpus_per_cell)):
            if value != "auto" and not 0 <= value < math.inf:
                raise InputError("resources of a cell", f"{value} {name}", "give 0 or more, or auto")
        if self.gpus_per_cell != "auto" and self.gpus_per_cell > 1 and self.gpus_per_cell % 1:
            raise InputError("resources of a cell", f"{self.gpus_per_cell} GPUs", "give whole GPUs, or a share of one")
        if self.cpus_per_cell == 0 and self.gpus_per_cell == 0:
            raise InputError("resources of a cell", "neither CPU nor GPU", "give one of them")
        if self.cells_at_once != "auto" and self.cells_at_once < 1:
            raise InputError("resources of a cell", f"{self.cells_at_once} at once", "give at least 1, or auto")


@dataclass(frozen=True, kw_only=True)
class KeepOptions:
    """Files that cells leave besides their results."""

    keep_weights: bool = False
    """Keep each cell's model, with the selected epoch's weights, as an artifact of its run, for fmerl export and
    fmerl predict."""
    checkpoint_seconds: float = 30.0
    """Least time between two saved states of an unfinished cell. Saving takes at most a fiftieth of a cell's time,
    unless this is 0."""

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint_seconds < math.inf:
            raise InputError("--checkpoint-seconds", f"{self.checkpoint_seconds} is no time", "give seconds from 0 up")
