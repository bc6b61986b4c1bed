"""A look, before any work, at what a command runs on: Ray, or its cluster, and the tracking server."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from fmerl.errors import InputError
from fmerl_platform.ledger.server import tracking_server

_SECONDS = 5.0
_SOCKET = "ray/session_2000-01-01_00-00-00_000000_0000000/sockets/plasma_store"
"""Longest socket that Ray makes below its temporary folder."""
_LONGEST_SOCKET = 107
"""Longest path of a socket in Linux, in bytes."""
_REMEDY = "start the cluster, or unset RAY_ADDRESS to use this machine alone"


def check_ready(*, dry_run: bool) -> None:
    """Check that Ray can be started or reached and, unless nothing will be logged, wait for the tracking server.

    Raises:
        InputError: One of them is not there.
    """
    check_ray()
    if not dry_run:
        tracking_server()


def check_ray() -> None:
    """Check that a local Ray can make its sockets, or that the cluster of `RAY_ADDRESS` answers.

    Raises:
        InputError: It cannot, or does not within 5 s.
    """
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        _check_sockets(Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()))
    elif address == "auto":
        from fmerl_platform.running.session import connected  # Ray starts slowly

        with connected(address):
            pass
    else:
        _check_answer(address)


def _check_sockets(folder: Path) -> None:
    length = len(os.fsencode(folder / _SOCKET))
    if length > _LONGEST_SOCKET:
        most = len(os.fsencode(folder)) - (length - _LONGEST_SOCKET)
        what = f"too long for the sockets that Ray makes below it (at most {most} bytes)"
        raise InputError(folder, what, "set RAY_TMPDIR to a shorter folder, such as /tmp")


def _check_answer(address: str) -> None:
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"RAY_ADDRESS={address}", "no HOST:PORT, auto or local", _REMEDY)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"RAY_ADDRESS={address}", f"no cluster answers there ({error})", _REMEDY) from None
