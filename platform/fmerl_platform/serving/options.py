"""Bounds on what comes in, and copies of the models: options of the command, as asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fmerl.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what one client may send."""

    request_bytes: int = 2**20
    """Most bytes of a request, or of a message of a stream."""
    conversations: int = 100
    """Most conversations of a request."""
    turns: int = 500
    """Most turns of a conversation."""
    characters: int = 5_000
    """Most characters of a turn."""
    timeout: float = 60.0
    """Seconds within which a request is read and answered."""
    idle: float = 600.0
    """Seconds after which a stream without a turn is closed."""
    open: int = 1_000
    """Most requests and streams that are worked on at once; as many wait, and further ones are turned away."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise InputError(f"--{name.replace('_', '-')}", f"{value} is no limit", "give more than 0")


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """Copies of the models, and how they take conversations."""

    replicas: int = 1
    """Copies of the models, each in a process of its own."""
    batch: int = 16
    """Most conversations that a replica predicts together."""
    batch_wait: float = 0.01
    """Seconds that a conversation waits for others to be predicted with."""
    cpus_per_replica: float = 1.0
    """CPUs of a replica."""
    gpus_per_replica: float = 0.0
    """GPUs likewise; fractions share a GPU."""

    def __post_init__(self) -> None:
        for name, low in (("replicas", 1), ("batch", 1), ("batch_wait", 0), ("cpus_per_replica", 0)):
            if not low <= getattr(self, name) < math.inf:
                raise InputError(f"--{name.replace('_', '-')}", f"{getattr(self, name)}", f"give {low} or more")
        gpus = self.gpus_per_replica
        if not 0 <= gpus < math.inf or (gpus > 1 and gpus % 1):
            raise InputError("--gpus-per-replica", f"{gpus} GPUs", "give whole GPUs, or a share of one")
