"""Nodes of the Ray cluster that a run uses or would use, and the device that Ray gave a worker."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
import torch
import yaml

from fmerl_platform.running.placement import Node
from fmerl_platform.running.session import cluster_address, connected

CLUSTER_FILE = "FMERL_CLUSTER_FILE"
"""Environment variable: path of the file that the head's autoscaler reads (`ray start --autoscaling-config`)."""
_UPLOADED = "~/ray_bootstrap_config.yaml"
"""Where `ray up` puts it on the head."""
_HEAD = "node:__internal_head__"
_ACCELERATOR = "accelerator_type:"
_GIBIBYTES = {
    "P4": 8,
    "K80": 12,
    "P100": 12,
    "T4": 16,
    "V100": 16,
    "A10G": 24,
    "L4": 24,
    "L40S": 48,
    "A100": 40,
    "A100-80G": 80,
    "H100": 80,
    "H20": 96,
    "H200": 141,
    "B200": 180,
}
"""Memory of a GPU by Ray's name of its type; where several sizes were sold, a smaller one."""


def nodes_at_hand() -> list[Node]:
    """Living nodes of the connected Ray cluster."""
    return [_node(item["NodeManagerAddress"], item["Resources"]) for item in _alive()]


def nodes_of_cluster() -> list[Node]:
    """Nodes that the connected Ray cluster may have: the living ones, or the workers that it may grow to.

    No API of Ray tells how far a cluster may grow, so the head's cluster file is read, on the head itself, where jobs
    run. The head of such a cluster is left to the driver.
    """
    head = next((item for item in _alive() if _HEAD in item["Resources"]), None)
    if head is not None and head["NodeID"] == ray.get_runtime_context().get_node_id():
        path = Path(os.environ.get(CLUSTER_FILE, _UPLOADED)).expanduser()
        if path.is_file() and (workers := worker_nodes(yaml.safe_load(path.read_text()))):
            return workers
    return nodes_at_hand()


def worker_nodes(cluster: Mapping[str, Any]) -> list[Node]:
    """Workers that a cluster file allows, by node type; types of unknown size are left out.

    Args:
        cluster: The file's content, with resources by node type, as `ray up` fills them in.
    """
    left, nodes = cluster.get("max_workers", 2), []  # Ray's own default
    for name, kind in cluster.get("available_node_types", {}).items():
        resources, most = kind.get("resources") or {}, min(left, kind.get("max_workers", left))
        if name != cluster.get("head_node_type") and resources and most:
            nodes.append(_node(name, resources, most))
            left -= most
    return nodes


def nodes_to_expect() -> list[Node]:
    """Nodes that a run would use: those of `RAY_ADDRESS` or of a connected cluster, or this machine."""
    if ray.is_initialized():
        return nodes_of_cluster()
    address = cluster_address()
    if address == "local" and not torch.cuda.device_count():
        return [Node("this machine", float(os.cpu_count() or 1), 0.0)]
    with connected(address):
        return nodes_of_cluster()


def given_device() -> torch.device:
    """The GPU that Ray gave this worker, else the CPU: a worker that asked for none sees all of its node's GPUs."""
    on_gpu = bool(ray.get_gpu_ids()) and torch.cuda.is_available()
    return torch.device("cuda" if on_gpu else "cpu")


def _alive() -> Sequence[Mapping[str, Any]]:
    return [item for item in ray.nodes() if item["Alive"]]


def _node(name: str, resources: Mapping[str, float], count: int = 1) -> Node:
    types = [key.removeprefix(_ACCELERATOR) for key in resources if key.startswith(_ACCELERATOR)]
    known = [_GIBIBYTES[kind] for kind in types if kind in _GIBIBYTES]
    size = {"gpu_gibibytes": float(min(known))} if known else {}
    return Node(name, float(resources.get("CPU", 0)), float(resources.get("GPU", 0)), count=count, **size)
