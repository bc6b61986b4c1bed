"""Photograph a finished study in MLflow's UI, in a headless Chromium: the pictures of `docs/mlflow.md`.

Starts `mlflow ui` on loopback, opens the pages a reader is sent to, waits for what they must show, and writes PNGs.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from aiohttp import ClientSession, ClientWebSocketResponse

from fmerl_platform.ledger.experiment import Experiment

WIDTH = 1600
_TIDY = (
    "document.querySelectorAll('[aria-label=Close], [aria-label=\"Close panel\"]').forEach(button => button.click())"
)
"""MLflow opens its assistant on a first visit."""
_FOLD = "[...document.querySelectorAll('[role=button]')].find(item => item.textContent.includes(%s)).click()"
_TEXT = "document.body ? document.body.innerText : ''"


@dataclass(frozen=True)
class Page:
    """A page to photograph."""

    address: str
    """After the server's."""
    texts: list[str]
    """What it must show."""
    height: int = 640
    folded: tuple[str, ...] = ()
    """Sections to close, so that the interesting ones are on the picture."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--study", default="meld-text")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "images", metavar="DIR")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium", metavar="FILE")
    arguments = parser.parse_args()
    experiment = Experiment.existing(arguments.storage, arguments.study)
    with mlflow_ui(experiment.uri) as address, chromium(arguments.chromium) as debugger:
        for path in asyncio.run(photograph(debugger, address, pages(experiment), arguments.output)):
            print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


def pages(experiment: Experiment) -> dict[str, Page]:
    """By file name of the picture."""
    home = f"#/experiments/{experiment.experiment_id}/runs"
    variants = experiment.find(level="variant")
    corpus = variants[0].data.tags["fmerl.corpus"]
    runs = [run for run in variants if run.data.tags["fmerl.corpus"] == corpus]
    [changed] = [run for run in runs if run.data.tags["fmerl.verdict"] != "control"][:1]
    names = [str(run.info.run_name) for run in runs]
    chosen = quote(json.dumps([run.info.run_id for run in runs]))
    return {
        "mlflow-table.png": Page(f"{home}?viewStateShareKey=variants", [*names, "delta_weighted_f1"]),
        "mlflow-chart.png": Page(f"{home}?viewStateShareKey=variants&compareRunsMode=CHART", ["delta_weighted_f1"]),
        "mlflow-compare.png": Page(
            f"#/compare-runs?runs={chosen}&experiments={quote(json.dumps([experiment.experiment_id]))}",
            ["Comparing", "delta_weighted_f1"],
            height=900,
            folded=("Visualizations", "Parameters"),
        ),
        "mlflow-variant.png": Page(f"{home}/{changed.info.run_id}", ["Test weighted F1", "fmerl.verdict"]),
    }


async def photograph(debugger: str, address: str, wanted: dict[str, Page], folder: Path) -> list[Path]:
    """Open each page and write what it looks like once its text is there.

    Raises:
        TimeoutError: A page does not show its text within a minute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    async with ClientSession() as session, session.ws_connect(debugger, max_msg_size=0) as socket_:
        tab = _Tab(socket_)
        await tab.open()
        for name, page in wanted.items():
            await tab.send("Page.navigate", url="about:blank")
            await tab.resize(page.height)
            await tab.send("Page.navigate", url=f"{address}/{page.address}")
            await tab.wait_for(page.texts)
            for section in page.folded:
                await tab.send("Runtime.evaluate", expression=_FOLD % json.dumps(section))
            (folder / name).write_bytes(await tab.still_picture())
            written.append(folder / name)
    return written


class _Tab:
    """One page of the browser, over the DevTools protocol."""

    def __init__(self, connection: ClientWebSocketResponse) -> None:
        self._connection, self._number, self._session = connection, 0, ""

    async def open(self) -> None:
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]

    async def resize(self, height: int) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False
        )

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        await self._connection.send_json({"id": self._number, "method": method, "params": params, **session})
        while True:
            answer = await self._connection.receive_json()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    async def wait_for(self, texts: list[str]) -> None:
        missing = texts
        for _ in range(60):
            await self.send("Runtime.evaluate", expression=_TIDY)
            shown = await self.send("Runtime.evaluate", expression=_TEXT, returnByValue=True)
            missing = [text for text in texts if text not in shown["result"]["value"]]
            if not missing:
                return
            await asyncio.sleep(1)
        raise TimeoutError(f"the page does not show {missing}")

    async def still_picture(self) -> bytes:
        """A PNG once nothing moves any more: charts are drawn after their titles, behind a turning wheel."""
        last = b""
        for _ in range(30):
            taken = await self.send("Page.captureScreenshot", format="png")
            picture = base64.b64decode(taken["data"])
            if picture == last:
                break
            last = picture
            await asyncio.sleep(2)
        return last


@contextmanager
def mlflow_ui(uri: str) -> Iterator[str]:
    """MLflow's UI on a free port of loopback; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with _running(command, environment):
        _wait_for(f"{address}/health")
        yield address


@contextmanager
def chromium(program: str) -> Iterator[str]:
    """A headless Chromium with a profile of its own; gives the address of its DevTools."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        switches = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
        ]
        command = [program, *switches, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        with _running(command, dict(os.environ)):
            port_file = Path(profile) / "DevToolsActivePort"
            for _ in range(600):
                if port_file.exists() and port_file.read_text().count("\n"):
                    break
                time.sleep(0.1)
            port, path = port_file.read_text().split("\n")[:2]
            yield f"ws://127.0.0.1:{port}{path}"


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    for _ in range(120):
        try:
            with urlopen(address):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"nothing answers at {address}")


if __name__ == "__main__":
    main()
