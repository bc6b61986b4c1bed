"""Placement of a search's trials."""

from __future__ import annotations

from collections.abc import Sequence

from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Node, Placement, place
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.memory import gpu_gibibytes


def place_trials(inputs: CorpusInputs, models: int, resources: Resources, nodes: Sequence[Node]) -> Placement:
    """Placement of trials, each of which trains so many models side by side.

    Raises:
        InputError: See `fmerl_platform.running.placement.place`.
    """
    return place(resources, nodes, gibibytes=models * gpu_gibibytes(inputs.control, inputs.data))
