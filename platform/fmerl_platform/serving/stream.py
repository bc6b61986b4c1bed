"""A conversation turn by turn over a WebSocket.

A message holds the next turn, or several; the answer holds their rows, and those of earlier turns that are now of
another class, since the models read a conversation in both directions. The conversation is kept with the connection,
and with no replica of the models.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

from fmerl.corpus.tables import Row
from fmerl_platform.serving.incoming import TOO_LARGE, TOO_SLOW, RefusedError, checked, read_rows
from fmerl_platform.serving.service import Rows, Service

_OF_ANOTHER_PAGE, _IDLE = 1008, 1001
"""Codes with which a WebSocket is closed."""


class GrowingConversation:
    """A conversation that grows.

    Args:
        service: The models and the bounds.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._turns: list[Row] = []
        self._predicted: list[str] = []

    async def add(self, message: bytes) -> Mapping[str, Rows]:
        """Predict further turns.

        Args:
            message: Chat JSON of a turn, or of several.

        Returns:
            `rows` of these turns, and `revised`: rows of earlier ones whose class is another now.

        Raises:
            RefusedError: Turns that are not taken; the conversation stays as it was.
        """
        limits = self._service.limits
        if len(message) > limits.request_bytes:
            raise RefusedError(TOO_LARGE, f"a message of more than {limits.request_bytes:,} bytes")
        turns = [*self._turns, *map(_turn, read_rows(message, limits.turns))]
        utterances = checked(turns, limits, self._service.about.vad_range)
        try:
            async with asyncio.timeout(limits.timeout):
                rows = await self._service.ask(utterances)
        except TimeoutError:
            raise RefusedError(TOO_SLOW, f"no answer within {limits.timeout:g} s; send it again") from None
        before, self._turns, self._predicted = self._predicted, turns, [row["predicted"] for row in rows]
        revised = [row for row, said in zip(rows, before, strict=False) if row["predicted"] != said]
        return {"rows": rows[len(before) :], "revised": revised}


def _turn(row: Row) -> Row:
    """A turn without the places that a file would give it: it is the next of this one conversation."""
    cells = {name: cell for name, cell in row.cells.items() if name not in ("dialogue_id", "turn")}
    return Row(row.path, row.number, cells)


async def stream(service: Service, socket: WebSocket) -> None:
    """Answer every message of a WebSocket: rows, or `error` for one that is not taken."""
    if not same_origin(socket.headers):
        await socket.close(_OF_ANOTHER_PAGE)
        return
    await socket.accept()
    conversation = GrowingConversation(service)
    try:
        while True:
            answer: dict[str, Any]
            try:
                async with asyncio.timeout(service.limits.idle):
                    message = await _message(socket)
            except TimeoutError:
                await socket.close(_IDLE, f"no turn for {service.limits.idle:g} s")
                return
            try:
                answer = dict(await conversation.add(message))
            except RefusedError as refused:
                answer = {"error": refused.message}
            await socket.send_json(answer)
    except WebSocketDisconnect:
        return


async def _message(socket: WebSocket) -> bytes:
    received = await socket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1005))
    text: str | None = received.get("text")
    return received.get("bytes") or b"" if text is None else text.encode(errors="surrogatepass")


def same_origin(headers: Headers) -> bool:
    """False for a browser's request from another site's page, which may open any WebSocket, unlike any other route."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
