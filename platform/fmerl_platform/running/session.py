"""Connects to the Ray cluster the user means, or starts one for this run."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import ray

from fmerl import errors
from fmerl.errors import InputError

_SOURCE = Path(errors.__file__).parents[1]
_ENGINE = Path(__file__).parents[2]
_MEBIBYTE = 2**20
_API_SERVER = "RAY_API_SERVER_ADDRESS"
_LONGEST_REASON = 300
"""Most letters of Ray's own words."""


class MixedSourcesError(RuntimeError):
    """The method and the engine come from two different copies of the project."""


@contextmanager
def ray_session(shared_bytes: int | None = 0, *, dashboard: bool = False) -> Iterator[None]:
    """A connected Ray: the cluster of `RAY_ADDRESS`, one that is connected already, or a local one for this run.

    Args:
        shared_bytes: Size of the data that cells will share; a local object store is made to fit it. None leaves its
            size to Ray.
        dashboard: Start a local cluster's dashboard, which Ray Train asks for the state of its workers.

    Raises:
        InputError: Ray does not start, or no cluster answers.
        MixedSourcesError: `fmerl` was uploaded with the job while `fmerl_platform` is an older installed copy.
    """
    check_sources()
    if ray.is_initialized():
        yield
        return
    # Ctrl-C is ours to answer; Tune's own handler would turn it into a half-finished result.
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    for logger in ("execution.streaming_executor", "progress"):  # the run's own progress shows the same
        logging.getLogger(f"ray.data._internal.{logger}").setLevel(logging.ERROR)
    address, local = cluster_address(), dict[str, Any]()
    with ExitStack() as stack:
        if address == "local":
            # Workers import what this process does, installed or not. A runtime environment would tell them as well,
            # but the workers that Ray starts ahead have none, and would not be taken.
            os.environ["PYTHONPATH"] = _import_path()
            local = stack.enter_context(_own_dashboard()) if dashboard else {"include_dashboard": False}
            if shared_bytes is not None:
                local["object_store_memory"] = 2 * shared_bytes + 200 * _MEBIBYTE
        stack.enter_context(connected(address, **local))
        yield


@contextmanager
def early_session(*, dashboard: bool) -> Iterator[None]:
    """A local Ray for the block, which starts while what a study needs is imported.

    A cluster is there already, and connected to when cells wait.

    Args:
        dashboard: See `ray_session`.

    Raises:
        InputError: Ray does not start.
    """
    if cluster_address() != "local":
        yield
        return
    # Ray is imported by now: two threads that import the same modules may meet them half made.
    imports = Thread(target=import_module, args=("fmerl_platform.studies.run",))
    imports.start()
    with ray_session(None, dashboard=dashboard):
        imports.join()
        yield


@contextmanager
def connected(address: str, **options: Any) -> Iterator[None]:
    """Ray, started or connected for the block.

    Args:
        address: `local`, `auto` or a cluster's.
        options: Further ones of `ray.init`.

    Raises:
        InputError: It does not start, or no cluster answers.
    """
    answer = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, logging_level=logging.ERROR, **options)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, answer)  # Ray's own would dump the stack and abort
    except Exception as error:  # of many kinds
        ray.shutdown()
        what = f"Ray does not start ({' '.join(str(error).split())[:_LONGEST_REASON]})"
        remedy = "start the cluster, or unset RAY_ADDRESS" if address != "local" else "see the logs in /tmp/ray"
        raise InputError(f"RAY_ADDRESS={address}", what, remedy) from error
    try:
        yield
    finally:
        ray.shutdown()


def cluster_address() -> str:
    """Address of the cluster that the user means; `local` is one of this run's own."""
    return os.environ.get("RAY_ADDRESS") or "local"


def check_sources() -> None:
    """Refuse an editable install mixed with an uploaded working directory."""
    together = _ENGINE == _SOURCE or _ENGINE == _SOURCE / "platform"
    if not together:
        raise MixedSourcesError(
            f"fmerl is loaded from {_SOURCE} but fmerl_platform from {_ENGINE}; submit with "
            "--runtime-env cluster/runtime_env.yaml, or uninstall the copy on the cluster"
        )


@contextmanager
def _own_dashboard() -> Iterator[dict[str, Any]]:
    """Options of a local Ray whose processes know the address of its dashboard.

    Ray Train's watch over its controller asks there. Without an address it asks any cluster of the machine, takes the
    controller that is not found for dead, and gives up where there are several clusters.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    before = os.environ.get(_API_SERVER, "")
    os.environ[_API_SERVER] = f"http://127.0.0.1:{port}"
    try:
        yield {"include_dashboard": True, "dashboard_port": port}
    finally:
        os.environ[_API_SERVER] = before


def _import_path() -> str:
    """Folders of this project, then those of PYTHONPATH."""
    paths = [str(_SOURCE), str(_ENGINE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.pathsep.join(dict.fromkeys(paths))
