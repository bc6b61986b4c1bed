"""Checks of what a command runs on, before any work."""

from __future__ import annotations

from fmerl_platform.ledger.server import tracking_server
from fmerl_platform.running.reach import check_ray


def check_ready(*, dry_run: bool) -> None:
    """Check that Ray can be started or reached and, unless nothing will be logged, wait for the tracking server.

    Raises:
        InputError: One of them is not there.
    """
    check_ray()
    if not dry_run:
        tracking_server()
