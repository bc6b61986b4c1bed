"""Connects to the Ray cluster the user means, or starts one for this run."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from fmerl import errors
from fmerl.errors import InputError

_SOURCE = Path(errors.__file__).parents[1]
_ENGINE = Path(__file__).parents[2]
_LONGEST_REASON = 300
"""Most letters of Ray's own words."""


class MixedSourcesError(RuntimeError):
    """The method and the engine come from two different copies of the project."""


@contextmanager
def ray_session(*, dashboard: bool = False) -> Iterator[None]:
    """A connected Ray: the cluster of `RAY_ADDRESS`, one that is connected already, or a local one for this run.

    Args:
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
    address = os.environ.get("RAY_ADDRESS") or "local"
    # Local workers import what this process does, installed or not. A runtime environment would tell them as well, but
    # the workers that Ray starts ahead have none, and would not be taken.
    os.environ["PYTHONPATH"] = _import_path()
    with connected(address, **({"include_dashboard": dashboard} if address == "local" else {})):
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


def check_sources() -> None:
    """Refuse an editable install mixed with an uploaded working directory."""
    together = _ENGINE == _SOURCE or _ENGINE == _SOURCE / "platform"
    if not together:
        raise MixedSourcesError(
            f"fmerl is loaded from {_SOURCE} but fmerl_platform from {_ENGINE}; submit with "
            "--runtime-env cluster/runtime_env.yaml, or uninstall the copy on the cluster"
        )


def _import_path() -> str:
    """Folders of this project, then those of PYTHONPATH."""
    paths = [str(_SOURCE), str(_ENGINE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.pathsep.join(dict.fromkeys(paths))
