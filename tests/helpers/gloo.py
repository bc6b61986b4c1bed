"""Processes that train together over Gloo."""

from __future__ import annotations

import socket
from datetime import timedelta

import torch.distributed as dist

from fmerl.training.distributed import Ranks


def free_port() -> int:
    """A port that no one listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def join(rank: int, size: int, port: int) -> Ranks:
    """Join the other ranks."""
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=size, timeout=timedelta(minutes=10))
    return Ranks(rank, size)
