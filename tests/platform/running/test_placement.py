"""How many cells fit where."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl.features.audio.encoder import AudioSpec
from fmerl.features.audio.speech import SpeechSpec
from fmerl.features.text.utterances import TextSpec
from fmerl_platform.cli.placement import placement_table
from fmerl_platform.extraction.placement import place_workers
from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Node, Placement, place

NODES = st.lists(
    st.builds(
        Node,
        st.just("n"),
        st.integers(0, 64).map(float),
        st.integers(0, 8).map(float),
        st.sampled_from([16.0, 24.0, 80.0]),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=5,
)
SHARES = st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.75, 1.0, 2.0, 4.0])
HEAD, A10G = Node("head", 4, 0), Node("gpu", 8, 1, 24.0, 9)


def placed(cpus: float, gpus: float) -> Placement:
    return place(Resources(cpus_per_cell=cpus, gpus_per_cell=gpus, cells_at_once=1), [])


def test_a_share_lies_on_one_gpu() -> None:
    node = Node("n", 64, 4)
    assert placed(1, 0.75).workers_on(node) == 4
    assert placed(1, 0.25).workers_on(node) == 16
    assert placed(1, 0.1).workers_on(node) == 40
    assert placed(1, 2).workers_on(node) == 2
    assert placed(0, 1).workers_on(Node("n", 0, 3)) == 3


@given(nodes=NODES, cpus=st.sampled_from([0.5, 1.0, 3.0]), gpus=st.one_of(st.just(0.0), SHARES))
def test_no_node_holds_more_than_it_has(nodes: list[Node], cpus: float, gpus: float) -> None:
    for node in nodes:
        held = placed(cpus, gpus).workers_on(node) / node.count
        assert held * cpus <= node.cpus + 1e-6
        assert held * gpus <= node.gpus + 1e-6
        more_cpus, more_gpus = (held + 1) * cpus > node.cpus, gpus and (held + 1) * gpus > node.gpus * (1 - gpus % 1)
        assert more_cpus or more_gpus, "one more would fit"


@given(nodes=NODES, workers=st.integers(1, 4))
def test_all_cells_at_once_have_all_their_workers(nodes: list[Node], workers: int) -> None:
    """So no cell can wait for workers that another waiting cell holds."""
    resources = Resources(cpus_per_cell=2.0, gpus_per_cell=0.0)
    total = sum(placed(2.0, 0.0).workers_on(node) for node in nodes)
    if total < workers:
        with pytest.raises(InputError, match="ever fits"):
            place(resources, nodes, workers=workers)
    else:
        assert place(resources, nodes, workers=workers).at_once == math.floor(total / workers)


@given(nodes=NODES, gibibytes=st.floats(0.1, 30))
def test_what_is_left_to_auto_fits_the_memory_of_every_gpu(nodes: list[Node], gibibytes: float) -> None:
    with_gpus = [node for node in nodes if node.gpus and node.cpus]
    if not with_gpus or any(node.gpus and not node.cpus for node in nodes):
        return
    found = place(Resources(), nodes, gibibytes=gibibytes)
    for node in with_gpus:
        assert found.workers_on(node) >= node.count * (node.gpus if found.cpus <= 1 else 1)
        on_each = math.floor(1 / found.gpus + 1e-6)
        assert on_each == 1 or on_each * gibibytes <= node.gpu_gibibytes
    assert sum(map(found.workers_on, nodes)) == found.at_once
    assert all(not found.workers_on(node) for node in nodes if not node.gpus)


def test_auto_without_gpus_is_a_cpu_each() -> None:
    found = place(Resources(), [Node("a", 8, 0), HEAD], gibibytes=4.0)
    assert (found.cpus, found.gpus, found.at_once) == (1.0, 0.0, 12)


@pytest.mark.parametrize(
    ("gibibytes", "cpus", "gpus", "at_once"),
    [(0.7, 1.0, 0.125, 72), (4.0, 1.0, 0.2, 45), (9.0, 4.0, 0.5, 18), (40.0, 8.0, 1.0, 9)],
)
def test_auto_shares_a_gpu_by_memory_and_cpus(gibibytes: float, cpus: float, gpus: float, at_once: int) -> None:
    found = place(Resources(), [HEAD, A10G], gibibytes=gibibytes)
    assert (found.cpus, found.gpus, found.at_once) == (cpus, gpus, at_once)


def test_workers_of_one_cell_get_a_gpu_each() -> None:
    found = place(Resources(), [A10G], workers=4, gibibytes=0.7)
    assert (found.cpus, found.gpus, found.at_once) == (8.0, 1.0, 2)


def test_what_is_asked_for_stays() -> None:
    found = place(Resources(gpus_per_cell=0.0), [A10G], gibibytes=1.0)
    assert (found.cpus, found.gpus, found.at_once) == (1.0, 0.0, 72)
    found = place(Resources(cpus_per_cell=3.0), [A10G], gibibytes=1.0)
    assert (found.cpus, found.at_once) == (3.0, 18)


def test_encoders_take_gpus_and_opensmile_none() -> None:
    specs = TextSpec(), SpeechSpec(encoder="any"), AudioSpec()
    text, speech, opensmile = (place_workers(spec, Resources(), [HEAD, A10G]) for spec in specs)
    assert (text.gpus, text.cpus, text.at_once) == (0.25, 2.0, 36)
    assert speech == text
    assert (opensmile.gpus, opensmile.cpus, opensmile.at_once) == (0.0, 1.0, 76)


def test_a_growing_cluster_is_asked_for_more_than_it_has() -> None:
    assert place(Resources(gpus_per_cell=1.0, cells_at_once=64), [HEAD]).at_once == 64


@pytest.mark.parametrize(("cpus", "gpus"), [(-1.0, 0.0), (0.0, 0.0), (1.0, 1.5), (math.nan, 0.0)])
def test_impossible_requests_are_refused(cpus: float, gpus: float) -> None:
    with pytest.raises(InputError, match="resources of a cell"):
        Resources(cpus_per_cell=cpus, gpus_per_cell=gpus)


def test_none_at_once_is_refused() -> None:
    with pytest.raises(InputError, match="0 at once"):
        Resources(cells_at_once=0)


def test_the_table_says_rounds_and_places() -> None:
    placement = place(Resources(cpus_per_cell=1, gpus_per_cell=0.5), [Node("a", 8, 2), Node("b", 4, 0)], gibibytes=2.0)
    table = placement_table(placement, cells=70)
    assert table.caption == "4 of 70 cells at once, in about 18 rounds"
    assert [row[-1] for row in table.rows] == ["4", "0"]
    assert table.notes == ("a cell takes 1 x (1 CPU, 0.5 GPU); about 2.0 GiB of a GPU each",)
