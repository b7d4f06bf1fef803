"""Metrics at an address of their own, for roles that answer nobody but the gateway, or nobody at all."""

import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from .scrape import MEDIA_TYPE, Scrape

_log = logging.getLogger(__name__)

PATH = "/metrics"
# One is answered after the other; who asks slowly keeps others for no longer than this.
_REQUEST_SECONDS = 1.0


def listening(bind: str | None) -> socket.socket | None:
    """A socket that listens at host:port, for processes that will be forked too. None where that can't be.

    That is said in the log, and no reason not to receive.
    """
    if bind is None:
        return None
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=16)
    except OSError as failure:
        _log.error("metrics can't be told at %s: %s", bind, failure.strerror or failure)
        return None


def tell(listener: socket.socket | None, made: Callable[[], Scrape]) -> None:
    """Answer who asks at ``listener``, in a thread, for as long as this process lives."""
    if listener is not None:
        server = _Server(listener, made())
        threading.Thread(target=server.serve_forever, args=(60.0,), name="metrics-listener", daemon=True).start()


class _Server(HTTPServer):
    def __init__(self, listener: socket.socket, scrape: Scrape) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        # Of several processes that wait here one is faster: the others must not wait for a connection that is gone.
        listener.setblocking(False)
        self.scrape = scrape

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = self.socket.accept()
        connection.setblocking(True)
        return connection, address

    def handle_error(self, *_: Any) -> None:
        _log.debug("whoever asked for metrics has left")


class _Handler(BaseHTTPRequestHandler):
    """One path, and no word about what answers."""

    server: _Server
    timeout = _REQUEST_SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(404)
            return
        self._answer(200, MEDIA_TYPE, self.server.scrape.text())

    def send_error(self, code: int, *_: Any) -> None:
        self._answer(int(code), "text/plain", f"{PATH} is all that there is\n".encode())

    def _answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in (
            ("Content-Type", media_type),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
