"""Nodes that a cluster has or may grow to, and the device that follows what Ray gave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import pretended_gpus
from helpers.repository import REPOSITORY

from fmerl_platform.running.nodes import nodes_to_expect, worker_nodes
from fmerl_platform.running.placement import Node

A10G = {"CPU": 8, "GPU": 1, "accelerator_type:A10G": 1}


def gpu_yaml() -> dict[str, Any]:
    """The file as `ray up` leaves it on the head: with the resources of each instance."""
    config: dict[str, Any] = yaml.safe_load((REPOSITORY / "cluster" / "gpu.yaml").read_text())
    for name, kind in config["available_node_types"].items():
        kind["resources"] = {"CPU": 4} if name == "head" else A10G
    return config


def test_workers_of_a_cluster_file() -> None:
    assert worker_nodes(gpu_yaml()) == [Node("gpu", 8, 1, 24.0, 1), Node("gpu-spot", 8, 1, 24.0, 8)]


def test_no_more_nodes_than_the_whole_cluster_may_have() -> None:
    nodes = worker_nodes({**gpu_yaml(), "max_workers": 5})
    assert [node.count for node in nodes] == [1, 4]


def test_types_of_unknown_size_are_left_out() -> None:
    assert worker_nodes(yaml.safe_load((REPOSITORY / "cluster" / "gpu.yaml").read_text())) == []
    assert worker_nodes(yaml.safe_load((REPOSITORY / "cluster" / "on_premise.yaml").read_text())) == []


def test_this_machine_is_expected_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    (node,) = nodes_to_expect()
    assert node.cpus >= 1


@pytest.fixture(scope="module")
def pretended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Findings of a machine of four CPUs that says it has two GPUs."""
    folder = tmp_path_factory.mktemp("pretended")
    command: list[str | Path] = [sys.executable, pretended_gpus.__file__, folder]
    subprocess.run(command, check=True)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.slow
def test_cells_share_the_gpus_and_train_where_ray_put_them(pretended: dict[str, Any]) -> None:
    assert pretended["shares"] == {"cpus": 2.0, "gpus": 1.0, "at_once": 2}, "48 GiB a cell: one on each GPU"
    assert {tuple(gpus) for gpus, _ in pretended["auto"]} == {(0,), (1,)}
    assert {device for _, device in pretended["auto"]} == {"cuda"}


def test_a_worker_that_asked_for_no_gpu_takes_none(pretended: dict[str, Any]) -> None:
    assert pretended["without"] == [[[], "cpu"]] * 2
