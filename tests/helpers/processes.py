"""Commands in processes of their own, and waiting for what they do.

Nothing here has a deadline: a loaded machine is slow, and a test that hangs is ended by pytest's own limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from helpers.repository import EXPERIMENTS, REPOSITORY

_POLL_SECONDS = 0.05


def start(
    script: str | Path, log: Path, *arguments: str | Path, extra_path: Sequence[Path] = ()
) -> subprocess.Popen[bytes]:
    """Start a script of `experiments/`, or any other by its path, with the project on its path.

    Args:
        script: Name or path.
        log: File to which its output is appended.
        arguments: Of the script.
        extra_path: Further folders to import from.
    """
    paths = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "platform", *extra_path)))
    command: list[str | Path] = [sys.executable, EXPERIMENTS / script, *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stdout=output, stderr=output)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for an event that the running process brings about."""
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode}: {tail(log)}"
        time.sleep(_POLL_SECONDS)


def succeed(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the end of a process that must end well."""
    assert process.wait() == 0, tail(log)


def below(parent: int, title: str) -> list[psutil.Process]:
    """Processes below a process that are still there and whose title holds these words; Ray titles its workers."""
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        with suppress(psutil.Error):  # it ended meanwhile
            if title in " ".join(child.cmdline()):
                found.append(child)
    return found


def tail(log: Path) -> str:
    """End of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]
