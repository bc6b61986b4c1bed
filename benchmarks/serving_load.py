"""Many conversations at once against `fmerl serve`, beside one after the other; and again while a replica is killed.

Every answer is compared with what the bundle predicts in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from fmerl.bundle.folder import read_bundle
from fmerl.bundle.predictor import Predictor, predict_records

REPOSITORY = Path(__file__).parents[1]
TURNS = 8
_TEXT = "what a day ! oh my god leave me alone i love this and hate that you never call why not"
_REPLICA = "ray::ServeReplica:fmerl:models"
_TOLERANCE = 1e-5

Turns = list[dict[str, str]]


@dataclass(frozen=True)
class Load:
    """Answers to conversations, in their order."""

    rows: list[list[dict[str, Any]]]
    latencies: list[float]
    """Seconds from sending to the whole answer."""
    seconds: float
    """Seconds from the first request to the last answer."""


def talks(count: int) -> list[Turns]:
    """Conversations of different texts, whose speakers are found in no other."""
    draw, words = random.Random(0), _TEXT.split()
    return [
        [
            {"speaker": f"{name} {number}", "text": " ".join(draw.choices(words, k=draw.randint(3, 12)))}
            for _ in range(TURNS // 2)
            for name in ("Ana", "Ben")
        ]
        for number in range(count)
    ]


async def send(address: str, conversations: Sequence[Turns], first: Callable[[], object] = lambda: None) -> Load:
    """Send all conversations at once.

    Args:
        address: The service's.
        conversations: A request each; none is sent twice.
        first: Called when the first answer is there.

    Raises:
        RuntimeError: An answer other than rows.
    """
    waiting = [first]
    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(600)) as session:

        async def one(turns: Turns) -> tuple[list[dict[str, Any]], float]:
            begun = time.perf_counter()
            async with session.post(f"{address}/predict", json=turns) as answer:
                said = await answer.json(content_type=None)
            if "rows" not in said:
                raise RuntimeError(f"{answer.status}: {said}")
            if waiting:
                waiting.pop()()
            return said["rows"], time.perf_counter() - begun

        begun = time.perf_counter()
        found = await asyncio.gather(*map(one, conversations))
        seconds = time.perf_counter() - begun
    return Load([rows for rows, _ in found], [latency for _, latency in found], seconds)


def replicas(service: int) -> list[psutil.Process]:
    """Processes of the models' replicas, of a service by its process id."""
    found = []
    for process in psutil.Process(service).children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith(_REPLICA):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def kill_a_replica(service: int) -> None:
    """End one replica as a fault of the machine would."""
    replicas(service)[0].send_signal(signal.SIGKILL)


def differences(load: Load, wanted: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """What is not as the bundle predicts it, one line each."""
    found = []
    for number, (rows, others) in enumerate(zip(load.rows, wanted, strict=True)):
        for row, other in zip(rows, others, strict=True):
            for name, value in other.items():
                if isinstance(value, float) and name != "seed_agreement":
                    if abs(row[name] - value) > _TOLERANCE:
                        found.append(f"conversation {number}: {name} is {row[name]} and not {value}")
                elif name in ("speaker", "text", "utterance_id", "turn") and row[name] != value:
                    found.append(f"conversation {number}: {name} is {row[name]!r} and not {value!r}")
    return found


@dataclass(frozen=True)
class Running:
    """A service that is ready."""

    address: str
    metrics: str
    """Address of its metrics."""
    pid: int


@contextmanager
def service(bundle: Path, log: Path, *options: str) -> Iterator[Running]:
    """`fmerl serve`, for the block, once it is ready.

    Args:
        bundle: The bundle.
        log: File for what it prints.
        options: Of the command.

    Raises:
        RuntimeError: It ended before it was ready.
    """
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    command = [sys.executable, str(REPOSITORY / "experiments" / "serve.py"), str(bundle), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": paths}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while "ready" not in (told := dict(line.split(maxsplit=1) for line in _lines(log))):
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.1)
        yield Running(told["ready"], told["metrics"], process.pid)
    finally:
        process.terminate()
        process.wait()


def _lines(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if line.startswith(("ready ", "metrics "))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="by default a tiny one that is trained first")
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = arguments.bundle or _tiny_bundle(Path(folder))
        predictor = Predictor(read_bundle(bundle), device="cpu")
        sent = talks(arguments.conversations)
        wanted = [predict_records(predictor, turns).to_pylist() for turns in sent]
        options = ("--replicas", str(arguments.replicas), "--port", str(arguments.port))
        with service(bundle, Path(folder) / "log", *options) as running:
            asyncio.run(send(running.address, sent[: 2 * arguments.replicas]))  # the first answers wait for caches
            single = [asyncio.run(send(running.address, [turns])).seconds for turns in sent[:30]]
            print(f"one after the other: {1 / statistics.fmean(single):.1f} conversations of {TURNS} turns per second")
            _tell("all at once", asyncio.run(send(running.address, sent)), wanted)
            killed = asyncio.run(send(running.address, sent, first=lambda: kill_a_replica(running.pid)))
            _tell("all at once, one replica killed", killed, wanted)


def _tell(name: str, load: Load, wanted: Sequence[Sequence[dict[str, Any]]]) -> None:
    latencies = sorted(load.latencies)
    slow = latencies[int(0.95 * len(latencies))]
    print(
        f"{name}: {len(load.rows)} answers, {len(differences(load, wanted))} differences, "
        f"{len(load.rows) / load.seconds:.1f} conversations per second, "
        f"latency median {statistics.median(latencies):.2f} s, 95 % {slow:.2f} s"
    )


def _tiny_bundle(folder: Path) -> Path:
    sys.path.append(str(REPOSITORY / "tests"))
    from helpers.text_cells import train_text_cells

    return train_text_cells(folder).bundle


if __name__ == "__main__":
    main()
