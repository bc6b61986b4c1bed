"""Ray heads and nodes of their own ports, for tests that submit jobs; ended by their process groups."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from helpers.processes import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(python: Path) -> dict[str, str]:
    """For a head and its jobs: `python` means this interpreter, and nothing of the project is on the path."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "RAY_ADDRESS")}
    return {**kept, "PATH": os.pathsep.join([str(python.parent), kept["PATH"]])}


@contextmanager
def head(
    folder: Path,
    python: Path,
    temporary: Path,
    cpus: int = 2,
    gcs_port: int | None = None,
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A head of its own, started in `folder`; ended with all that it started, never by `ray stop`."""
    dashboard = free_port()
    command: list[str | Path] = [python, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += [f"--num-cpus={cpus}", f"--dashboard-port={dashboard}", f"--temp-dir={temporary}"]
    command += ["--object-store-memory=200000000", f"--port={gcs_port or free_port()}"]
    for name in ("ray-client-server-port", "dashboard-agent-listen-port"):
        command.append(f"--{name}={free_port()}")
    command += options
    with (temporary.parent / "head.log").open("wb") as log:
        head = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment(python), **(variables or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{dashboard}"
    try:
        wait_for(f"{address}/api/version", head)
        yield address
    finally:
        family: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(head.pid).children(recursive=True)
        with suppress(ProcessLookupError):
            os.killpg(head.pid, signal.SIGTERM)
        head.wait()
        for process in psutil.wait_procs(family, timeout=5)[1]:  # nodes that the autoscaler started outlive it
            process.kill()


def head_process(temporary: Path) -> psutil.Process:
    """The head of this folder: the test process has a Ray of its own where other tests ran before."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it ended meanwhile
            if f"--temp-dir={temporary}" in child.cmdline():
                return child
    raise AssertionError(f"no head of {temporary}")


def wait_for(url: str, head: subprocess.Popen[bytes]) -> None:
    while True:
        assert head.poll() is None, "the head ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return


def submit(address: str, python: Path, folder: Path, *options: str, grid: list[str]) -> str:
    """Submit `ablation_grid.py` with these arguments and wait for its end; returns the log."""
    command = _submission(address, python, ["python", "experiments/ablation_grid.py", *grid], *options)
    deadline = time.monotonic() + 600
    while True:
        result = subprocess.run(command, cwd=folder, env=environment(python), capture_output=True, text=True)
        output = result.stdout + result.stderr
        if not _too_early(output) or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert result.returncode == 0, output[-6000:]
    return output


def submitted(address: str, python: Path, log: Path, job: Sequence[str]) -> subprocess.Popen[bytes]:
    """The client of a job that a head has accepted; its output, and the job's, goes to `log`."""
    command = _submission(address, python, job)
    while True:
        with log.open("wb") as output:
            client = subprocess.Popen(command, env=environment(python), stdout=output, stderr=output)
        while client.poll() is None and "submitted successfully" not in log.read_text(encoding="utf-8"):
            time.sleep(0.2)
        if client.poll() is None or not _too_early(log.read_text(encoding="utf-8")):
            return client
        time.sleep(1)


def _submission(address: str, python: Path, job: Sequence[str], *options: str) -> list[str | Path]:
    """The command of Ray's client that submits a job."""
    return [python, "-m", "ray.scripts.scripts", "job", "submit", f"--address={address}", *options, "--", *job]


def _too_early(output: str) -> bool:
    """The dashboard answers before the head's agent, which starts jobs, is there; on a busy machine slowly."""
    return "No available agent to submit job" in output or "Failed to connect to Ray at address" in output


@contextmanager
def node(folder: Path, python: Path, temporary: Path, gcs_port: int, gpus: int) -> Iterator[subprocess.Popen[bytes]]:
    """A node of two CPUs, and as many GPUs as it says, that has joined a head of this machine."""
    command: list[str | Path] = [python, "-m", "ray.scripts.scripts", "start", "--block"]
    command += [f"--address=127.0.0.1:{gcs_port}", "--num-cpus=2", f"--num-gpus={gpus}"]
    command += ["--object-store-memory=200000000", f"--dashboard-agent-listen-port={free_port()}"]
    log = temporary.parent / f"node-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(python), stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until(lambda: "Ray runtime started" in log.read_text(encoding="utf-8"), process, log)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def lose(process: psutil.Process) -> None:
    """Kill a node's process with all that it started, as the cloud takes a machine."""
    for victim in [*process.children(recursive=True), process]:
        with suppress(psutil.NoSuchProcess):  # a worker ends by itself when its parent is gone
            victim.kill()


def end_all_with(variable: str, value: str) -> None:
    """End every process that was started with this environment variable: a head that went to the background."""
    ours = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(variable) == value:
                ours.append(process)
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(ours, timeout=10)[1]:
        process.kill()
