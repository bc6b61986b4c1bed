"""`fmerl serve` as a process: its page in a real browser, many conversations at once, a replica killed, and its end."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil
import pytest
import serving_load
from aiohttp import ClientSession, TCPConnector
from browser import Tab, chromium, tab
from helpers.repository import EXPERIMENTS
from helpers.serving import free_port
from serving_load import Running

from fmerl.bundle.predictor import Predictor, predict_records

pytestmark = pytest.mark.slow

HOSTILE = "<img src=http://elsewhere.example/x onerror=\"document.title='x'\"><script>document.title='x'</script>"


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two replicas that take few conversations together, so that many wait."""
    log = tmp_path_factory.mktemp("service") / "log"
    options = ("--replicas", "2", "--batch", "4", "--port", str(free_port()), "--cpus-per-replica", "0.5")
    with serving_load.service(bundle, log, *options) as found:
        yield found


def read(address: str) -> str:
    with urlopen(address) as answer:
        return str(answer.read().decode())


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the service does by itself; pytest's own limit ends a wait for nothing."""
    while not condition():
        time.sleep(0.2)


def until_answered(running: Running, least: int) -> None:
    """Wait until the metrics, which come later than the answers, have so many conversations."""
    until(lambda: value_of("ray_fmerl_serve_conversations_total", read(running.metrics)) >= least)


def test_two_hundred_conversations_at_once_and_a_replica_killed(running: Running, predictor: Predictor) -> None:
    """Every conversation is answered once, by its own rows, though its replica may have died over it."""
    sent = serving_load.talks(200)
    wanted = [predict_records(predictor, turns).to_pylist() for turns in sent]
    for answered in count(200, 200):
        before = {process.pid for process in serving_load.replicas(running.pid)}
        assert len(before) == 2
        kill = partial(serving_load.kill_a_replica, running.pid)
        load = asyncio.run(serving_load.send(running.address, sent, first=kill))
        assert len(load.rows) == 200
        assert serving_load.differences(load, wanted) == []
        until(lambda: len(serving_load.replicas(running.pid)) == 2)
        assert {process.pid for process in serving_load.replicas(running.pid)} != before
        until(lambda: read(f"{running.address}/healthz") == '{"replicas":2}')
        until_answered(running, answered)
        if value_of("ray_fmerl_serve_retries_total", read(running.metrics)):  # else it died between two conversations
            break
    mixed = [*load.rows[1:], load.rows[0]]
    assert len(serving_load.differences(serving_load.Load(mixed, [], 0.0), wanted)) > 200  # so a mix-up would show


def test_streams_outlive_a_replica(running: Running, predictor: Predictor) -> None:
    """Forty conversations grow at once, and each turn is answered as the whole conversation is by then."""
    until(lambda: len(serving_load.replicas(running.pid)) == 2)
    sent = [turns[:6] for turns in serving_load.talks(40)]
    wanted = [[predict_records(predictor, turns[: end + 1]).to_pylist()[-1] for end in range(6)] for turns in sent]
    waiting = [lambda: serving_load.kill_a_replica(running.pid)]

    async def grow(session: ClientSession, turns: serving_load.Turns) -> list[dict[str, Any]]:
        found = []
        async with session.ws_connect(f"{running.address}/stream") as socket:
            for turn in turns:
                await socket.send_json(turn)
                answer = await socket.receive_json()
                found.extend(answer["rows"])
                if waiting:
                    waiting.pop()()
        return found

    async def all_at_once() -> list[list[dict[str, Any]]]:
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            return list(await asyncio.gather(*(grow(session, turns) for turns in sent)))

    found = asyncio.run(all_at_once())
    assert not waiting
    assert [len(rows) for rows in found] == [6] * 40
    assert serving_load.differences(serving_load.Load(found, [], 0.0), wanted) == []


def value_of(name: str, metrics: str) -> float:
    """Sum of a metric over its processes."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(name))


def test_the_page_shows_an_uploaded_conversation(running: Running, tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("no Chromium on the path")
    table = tmp_path / "talk.csv"
    quoted = HOSTILE.replace('"', '""')
    table.write_text(f'speaker,text\n"{quoted}",what a day !\nB,"{quoted}"\nA,leave me alone\n', encoding="utf-8")
    with chromium("chromium") as debugger:
        asyncio.run(_look(debugger, running.address, table))


async def _look(debugger: str, address: str, table: Path) -> None:
    async with tab(debugger) as page:
        await page.send("Network.enable")
        await page.navigate(address)
        await page.wait_for(["FMERL trained on words"])
        await page.choose_file("#file", table)
        await page.wait_for(["leave me alone", HOSTILE])
        await _check_turns(page, 3)
        assert await page.evaluate("document.querySelectorAll('#turns img, #turns script').length") == 0
        assert await page.evaluate("document.querySelectorAll('#chart polyline').length") == 3
        legend = await page.evaluate("document.querySelector('#legend').innerText")
        assert all(name in legend for name in ("joy", "anger", "fear"))
        # Turn by turn, beginning anew.
        for number, text in enumerate(("oh my god", HOSTILE), start=1):
            await page.evaluate("document.querySelector('#speaker').value = 'Ana'")
            await page.evaluate(f"document.querySelector('#text').value = {text!r}")
            await page.evaluate("document.querySelector('#live button').click()")
            await page.wait_for([text, f"\n{number}\n"])
            await _check_turns(page, number)
        await page.evaluate("document.querySelector('#lines').value = 'no speaker'")
        await page.evaluate("document.querySelector('#paste button').click()")
        await page.wait_for(["line 1: write Speaker: text"])
        for width in (1280, 390):
            await page.resize(width, 900)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.evaluate("document.title") == "FMERL: emotions in a conversation"
        # The page's own policy is what forbids others, whatever it would try.
        refused = "fetch('http://elsewhere.example/').then(() => 'sent', () => 'refused')"
        asked = _asked(page)
        assert await page.evaluate(refused) == "refused"
    assert {urlsplit(each).netloc for each in asked if not each.startswith("data:")} == {urlsplit(address).netloc}
    assert {urlsplit(each).path for each in asked} >= {"/", "/model", "/predict", "/stream"}


def _asked(page: Tab) -> list[str]:
    """Addresses of all requests and streams that the page opened."""
    found: list[str] = []
    for event in page.events:
        params: dict[str, Any] = event.get("params", {})
        if event["method"] == "Network.requestWillBeSent":
            found.append(params["request"]["url"])
        if event["method"] == "Network.webSocketCreated":
            found.append(params["url"])
    return found


async def _check_turns(page: Tab, count: int) -> None:
    """Every turn has its emotion as text and as colour, the legend's, and a bar as long as its probability."""
    turns = await page.evaluate("""[...document.querySelectorAll('#turns li')].map((item) => ({
        emotion: item.dataset.emotion, shown: item.querySelector('.emotion').innerText,
        edge: getComputedStyle(item).borderLeftColor,
        bar: getComputedStyle(item.querySelector('.bar div')).backgroundColor,
        said: item.querySelector('.names').innerText,
        share: item.querySelector('.bar div').getBoundingClientRect().width
            / item.querySelector('.bar').getBoundingClientRect().width,
    }))""")
    swatches = await page.evaluate("""Object.fromEntries([...document.querySelectorAll('#legend li')].map((item) =>
        [item.innerText.trim().split(' ')[0], getComputedStyle(item.querySelector('.swatch')).backgroundColor]))""")
    assert len(turns) == count
    assert len(set(swatches.values())) == len(swatches) == 3
    for turn in turns:
        assert turn["emotion"] == turn["shown"]
        assert turn["edge"] == turn["bar"] == swatches[turn["emotion"]]
        percent = float(turn["said"].split("%")[0].split()[-1])
        assert 100 * turn["share"] == pytest.approx(percent, abs=1.0)


def test_a_taken_port_and_a_bad_bundle_are_one_line(running: Running, bundle: Path, tmp_path: Path) -> None:
    port = running.address.rpartition(":")[2]
    for arguments, said in (
        ([str(bundle), "--port", port], f"--port {port}: nothing can listen there"),
        ([str(tmp_path)], str(tmp_path)),
        ([str(bundle), "--host", "no.such.host.invalid"], "--host no.such.host.invalid"),
    ):
        command = [sys.executable, str(EXPERIMENTS / "serve.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_all_that_it_started(bundle: Path, tmp_path: Path, number: int, code: int) -> None:
    log, port = tmp_path / "log", str(free_port())
    with serving_load.service(bundle, log, "--port", port) as running:
        process = psutil.Process(running.pid)
        children = process.children(recursive=True)
        assert children
        process.send_signal(number)
        assert process.wait() == code
        until(lambda: not any(child.is_running() for child in children))
    assert "Traceback" not in log.read_text(encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", int(port)))
