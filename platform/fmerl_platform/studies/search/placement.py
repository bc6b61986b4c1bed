"""Placement of a search's trials."""

from __future__ import annotations

from collections.abc import Sequence

from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Node, Placement, place
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.memory import gpu_gibibytes


def place_trials(inputs: CorpusInputs, seeds: Sequence[int], resources: Resources, nodes: Sequence[Node]) -> Placement:
    """Placement of trials, each of which trains all seeds side by side.

    Raises:
        InputError: See `fmerl_platform.running.placement.place`.
    """
    return place(resources, nodes, gibibytes=len(seeds) * gpu_gibibytes(inputs.control, inputs.data))
