"""A tracking server that is away: said at once, waited for, and given up in the end."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fmerl.errors import InputError
from fmerl_platform.ledger import server as module
from fmerl_platform.ledger.server import tracking_server


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that is bound but does not listen, at the address of the tracking server."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{bound.getsockname()[1]}")
        monkeypatch.setattr(module, "_PAUSE", 0.01)
        yield bound


def _serve(bound: socket.socket) -> HTTPServer:
    server = HTTPServer(bound.getsockname(), _Health, bind_and_activate=False)
    server.socket.close()
    server.socket = bound
    server.server_activate()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_a_server_that_comes_late_is_waited_for_with_a_word(
    reserved: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    servers: list[HTTPServer] = []

    class Starter(logging.Handler):
        """Starts the server once the user was told that it is waited for."""

        def emit(self, record: logging.LogRecord) -> None:
            if "does not answer: waiting for it" in record.getMessage():
                servers.append(_serve(reserved))

    logger, starter = logging.getLogger(module.__name__), Starter()
    logger.addHandler(starter)
    try:
        with caplog.at_level(logging.INFO, logger=module.__name__):
            uri = tracking_server()
    finally:
        logger.removeHandler(starter)
        for server in servers:
            server.shutdown()
    assert uri is not None
    assert uri in caplog.messages[0]
    assert caplog.messages[-1] == "the tracking server answers"


def test_a_server_that_never_comes_is_given_up(reserved: socket.socket) -> None:
    with pytest.raises(InputError, match=r"no server has answered for 0 s; start it, or unset"):
        tracking_server(patience=0)


def test_a_database_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    assert tracking_server() == "sqlite:///here.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_server() is None
