"""How many cells fit where."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl_platform.cli.placement import placement_table
from fmerl_platform.running.options import Node, Resources
from fmerl_platform.running.placement import nodes_to_expect

NODES = st.lists(
    st.builds(Node, st.just("n"), st.integers(0, 64).map(float), st.integers(0, 8).map(float)), min_size=1, max_size=5
)
SHARES = st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.75, 1.0, 2.0, 4.0])


def test_a_share_lies_on_one_gpu() -> None:
    node = Node("n", 64, 4)
    assert Resources(cpus_per_cell=1, gpus_per_cell=0.75).workers_on(node) == 4
    assert Resources(cpus_per_cell=1, gpus_per_cell=0.25).workers_on(node) == 16
    assert Resources(cpus_per_cell=1, gpus_per_cell=0.1).workers_on(node) == 40
    assert Resources(cpus_per_cell=1, gpus_per_cell=2).workers_on(node) == 2
    assert Resources(cpus_per_cell=0, gpus_per_cell=1).workers_on(Node("n", 0, 3)) == 3


@given(nodes=NODES, cpus=st.sampled_from([0.5, 1.0, 3.0]), gpus=st.one_of(st.just(0.0), SHARES))
def test_no_node_holds_more_than_it_has(nodes: list[Node], cpus: float, gpus: float) -> None:
    resources = Resources(cpus_per_cell=cpus, gpus_per_cell=gpus)
    for node in nodes:
        held = resources.workers_on(node)
        assert held * cpus <= node.cpus + 1e-6
        assert held * gpus <= node.gpus + 1e-6
        more_cpus, more_gpus = (held + 1) * cpus > node.cpus, gpus and (held + 1) * gpus > node.gpus * (1 - gpus % 1)
        assert more_cpus or more_gpus, "one more would fit"


@given(nodes=NODES, workers=st.integers(1, 4))
def test_all_cells_at_once_have_all_their_workers(nodes: list[Node], workers: int) -> None:
    """So no cell can wait for workers that another waiting cell holds."""
    resources = Resources(cpus_per_cell=2.0)
    total = sum(resources.workers_on(node) for node in nodes)
    if total < workers:
        with pytest.raises(InputError, match="ever fits"):
            resources.slots(nodes, workers)
    else:
        assert resources.slots(nodes, workers) == math.floor(total / workers)


def test_a_growing_cluster_is_asked_for_more_than_it_has() -> None:
    assert Resources(gpus_per_cell=1, cells_at_once=64).slots([Node("head", 4, 0)]) == 64


@pytest.mark.parametrize(("cpus", "gpus"), [(-1.0, 0.0), (0.0, 0.0), (1.0, 1.5), (math.nan, 0.0)])
def test_impossible_requests_are_refused(cpus: float, gpus: float) -> None:
    with pytest.raises(InputError, match="resources of a cell"):
        Resources(cpus_per_cell=cpus, gpus_per_cell=gpus)


def test_none_at_once_is_refused() -> None:
    with pytest.raises(InputError, match="0 at once"):
        Resources(cells_at_once=0)


def test_the_table_says_rounds_and_places() -> None:
    table = placement_table(
        [Node("a", 8, 2), Node("b", 4, 0)], Resources(cpus_per_cell=1, gpus_per_cell=0.5), cells=70, workers=1
    )
    assert table.caption == "4 of 70 cells at once, in about 18 rounds"
    assert [row[3] for row in table.rows] == ["4", "0"]


def test_this_machine_is_expected_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    (node,) = nodes_to_expect()
    assert node.cpus >= 1
