"""The service as clients see it: an ASGI application of routes, bounds and headers. It knows no Ray.

| route | gives |
|---|---|
| `GET /` | the page |
| `POST /predict` | rows of one conversation or several, JSON or CSV |
| `/stream` | a WebSocket that takes a conversation turn by turn |
| `GET /model` | what is served, and the bounds |
| `GET /healthz` | whether a model is ready |
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import asdict
from functools import partial
from importlib.resources import files

import pyarrow as pa
import pyarrow.csv as pa_csv
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fmerl_platform.serving.incoming import (
    BAD_FORM,
    BUSY,
    TOO_LARGE,
    TOO_SLOW,
    RefusedError,
    by_conversation,
    read_conversations,
)
from fmerl_platform.serving.service import Rows, Service
from fmerl_platform.serving.stream import stream

_JSON, _CSV = "application/json", "text/csv"
_PAGE = {
    "": ("page.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
}
"""File and type of each path of the page."""
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""On every answer: the page may load nothing but itself, and nothing that is said here is kept."""


def web_application(service: Service) -> Starlette:
    """The routes as an ASGI application."""
    return Starlette(
        routes=[
            *(Route(f"/{path}", partial(_file, *place)) for path, place in _PAGE.items()),
            Route("/predict", partial(_predict, service), methods=["POST"]),
            Route("/model", partial(_model, service)),
            Route("/healthz", partial(_health, service)),
            WebSocketRoute("/stream", partial(stream, service)),
        ],
        middleware=[
            Middleware(_Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(service.hosts), www_redirect=False),
        ],
        exception_handlers={RefusedError: _refused, HTTPException: _no_route, Exception: _failed},
    )


async def _predict(service: Service, request: Request) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (_JSON, _CSV):
        raise RefusedError(BAD_FORM, f"{kind or 'no content type'} is not read; send {_JSON} or {_CSV}")
    limits = service.limits
    try:
        async with asyncio.timeout(limits.timeout):
            content = await _body(request, limits.request_bytes)
            read = partial(read_conversations, csv=kind == _CSV)
            utterances = await asyncio.to_thread(read, content, limits, service.about.vad_range)
            found = await asyncio.gather(*map(service.ask, by_conversation(utterances)))
    except TimeoutError:
        raise RefusedError(TOO_SLOW, f"no answer within {limits.timeout:g} s; send less, or again later") from None
    row_of = {row["utterance_id"]: row for rows in found for row in rows}
    rows = [row_of[utterance.utterance_id] for utterance in utterances]
    if _CSV in request.headers.get("accept", ""):
        return Response(_as_csv(rows), media_type=_CSV)
    return JSONResponse({"rows": rows})


async def _body(request: Request, most: int) -> bytes:
    said = request.headers.get("content-length", "0")
    content = bytearray()
    if not (said.isdecimal() and int(said) > most):
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                break
        else:
            return bytes(content)
    raise RefusedError(TOO_LARGE, f"a request of more than {most:,} bytes; send it in parts, or use fmerl predict")


def _as_csv(rows: Rows) -> bytes:
    written = io.BytesIO()
    pa_csv.write_csv(pa.Table.from_pylist(rows), written)
    return written.getvalue()


async def _model(service: Service, request: Request) -> Response:
    return JSONResponse({**asdict(service.about), "limits": asdict(service.limits)})


async def _health(service: Service, request: Request) -> Response:
    ready = await service.replicas()
    return JSONResponse({"replicas": ready}, status_code=200 if ready else BUSY)


async def _file(name: str, kind: str, request: Request) -> Response:
    return Response(files(__package__).joinpath("page", name).read_bytes(), media_type=kind)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse({"error": error.message}, status_code=error.status)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the models failed; the log of Ray Serve says why"}, status_code=500)


class _Headers:
    """Adds the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)
