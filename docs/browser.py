"""A headless Chromium over its DevTools protocol: pages opened, looked at, used and photographed."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

_TEXT = "document.body ? document.body.innerText : ''"


class Tab:
    """One page of the browser, over the DevTools protocol."""

    def __init__(self, connection: ClientWebSocketResponse) -> None:
        self._connection, self._number, self._session = connection, 0, ""
        self.events: list[dict[str, Any]] = []
        """What the browser told besides its answers, such as the requests that a page made."""

    async def open(self) -> None:
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]

    async def resize(self, width: int, height: int) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def navigate(self, address: str) -> None:
        await self.send("Page.navigate", url=address)

    async def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in the input that a CSS selector finds."""
        document = await self.send("DOM.getDocument")
        found = await self.send("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.send("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[str(path)])

    async def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited if it is a promise."""
        found = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

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
            self.events.append(answer)

    async def wait_for(self, texts: list[str], before: str = "null") -> None:
        """Wait until the page shows all texts.

        Args:
            texts: The texts.
            before: JavaScript to run before each look.

        Raises:
            TimeoutError: It does not within a minute.
        """
        missing = texts
        for _ in range(60):
            await self.evaluate(before)
            shown = await self.evaluate(_TEXT)
            missing = [text for text in texts if text not in shown]
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


@asynccontextmanager
async def tab(debugger: str) -> AsyncIterator[Tab]:
    """A new tab of the browser whose DevTools are at this address."""
    async with ClientSession() as session, session.ws_connect(debugger, max_msg_size=0) as connection:
        opened = Tab(connection)
        await opened.open()
        yield opened


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
        with running(command, dict(os.environ)):
            port_file = Path(profile) / "DevToolsActivePort"
            for _ in range(600):
                if port_file.exists() and port_file.read_text().count("\n"):
                    break
                time.sleep(0.1)
            port, path = port_file.read_text().split("\n")[:2]
            yield f"ws://127.0.0.1:{port}{path}"


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A program, for the block."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
