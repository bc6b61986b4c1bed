"""What to serve, by what, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fmerl.bundle.recipes import Places
from fmerl.errors import InputError
from fmerl_platform.serving.options import Limits, Replicas

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that this machine alone reaches."""


class ServingError(RuntimeError):
    """Ray Serve did not start the application."""


@dataclass(frozen=True, kw_only=True)
class ServingRequest:
    """A bundle to serve, and the address to do it at."""

    bundle: str
    """A folder, a run's id, or models:/NAME/VERSION or models:/NAME@ALIAS."""
    classes: tuple[str, ...] = ()
    """`NAME=DESCRIPTION` of classes to add or describe anew."""
    places: Places = field(default_factory=Places)
    """Where encoders lie on this machine."""
    anchor_encoder: str | None = None
    """Encoder of descriptions on this machine."""
    storage: Path = Path("runs")
    """Folder of MLflow's database."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    replicas: Replicas = field(default_factory=Replicas)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65_535:
            raise InputError("--port", f"{self.port} is no port", "give one from 1 to 65535")

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
