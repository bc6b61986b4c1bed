"""Nodes that cells run on."""

from __future__ import annotations

import os
from collections.abc import Mapping

import ray
import torch

from fmerl_platform.running.options import Node
from fmerl_platform.running.session import connected


def nodes_at_hand() -> list[Node]:
    """Living nodes of the connected Ray cluster."""
    return [_node(item["NodeManagerAddress"], item["Resources"]) for item in ray.nodes() if item["Alive"]]


def nodes_to_expect() -> list[Node]:
    """Nodes that a run would use: the cluster of `RAY_ADDRESS`, a connected one, or this machine."""
    if ray.is_initialized():
        return nodes_at_hand()
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        return [Node("this machine", float(os.cpu_count() or 1), float(torch.cuda.device_count()))]
    with connected(address):
        return nodes_at_hand()


def _node(name: str, resources: Mapping[str, float]) -> Node:
    return Node(name, resources.get("CPU", 0.0), resources.get("GPU", 0.0))
