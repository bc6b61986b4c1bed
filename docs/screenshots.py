"""Photograph a finished study in MLflow's UI, or the page of `fmerl serve`, in a headless Chromium.

Starts `mlflow ui` on loopback, opens the pages a reader is sent to, waits for what they must show, and writes the PNGs
of `docs/mlflow.md`. With `--served` it uploads `docs/talk.csv` to a service that runs, for `docs/serving.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from browser import chromium, running, tab

from fmerl_platform.ledger.experiment import Experiment

WIDTH = 1600
_TIDY = (
    "document.querySelectorAll('[aria-label=Close], [aria-label=\"Close panel\"]').forEach(button => button.click())"
)
"""MLflow opens its assistant on a first visit."""
_FOLD = "[...document.querySelectorAll('[role=button]')].find(item => item.textContent.includes(%s)).click()"
TALK = Path(__file__).parent / "talk.csv"


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
    parser.add_argument("--served", metavar="ADDRESS", help="of fmerl serve: photograph its page alone")
    arguments = parser.parse_args()
    if arguments.served is not None:
        with chromium(arguments.chromium) as debugger:
            asyncio.run(photograph_service(debugger, arguments.served, arguments.output / "serve.png"))
        return
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
    async with tab(debugger) as opened:
        for name, page in wanted.items():
            await opened.navigate("about:blank")
            await opened.resize(WIDTH, page.height)
            await opened.navigate(f"{address}/{page.address}")
            await opened.wait_for(page.texts, before=_TIDY)
            for section in page.folded:
                await opened.evaluate(_FOLD % json.dumps(section))
            (folder / name).write_bytes(await opened.still_picture())
            written.append(folder / name)
    return written


async def photograph_service(debugger: str, address: str, picture: Path, width: int = 1280) -> None:
    """Upload the documented conversation to a service and write what its page shows, from top to bottom."""
    with TALK.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    async with tab(debugger) as opened:
        await opened.resize(width, 900)
        await opened.navigate(address)
        await opened.wait_for(["trained on"])
        await opened.choose_file("#file", TALK)
        await opened.wait_for(texts)
        await opened.resize(width, await opened.evaluate("document.documentElement.scrollHeight"))
        picture.write_bytes(await opened.still_picture())


@contextmanager
def mlflow_ui(uri: str) -> Iterator[str]:
    """MLflow's UI on a free port of loopback; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running(command, environment):
        _wait_for(f"{address}/health")
        yield address


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
