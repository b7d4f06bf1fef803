"""The server worker of the admin side: gunicorn's threads, with answers and logs that quote nothing of a request."""

import json
import logging
import socket
import struct
import time
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.errors import (
    InvalidRequestLine,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker

from receiver.observability import place_of

from .api.problems import BAD_REQUEST, INTERNAL, MEDIA_TYPE, Kind, document_of
from .hardening import BARE
from .tail import end_streams

_log = logging.getLogger(__name__)

# Seconds without a byte of a request, or without one of an answer being taken, until its thread is given to others.
_RECEIVE_SECONDS, _SEND_SECONDS = 15, 60
# Seconds for a whole request, however often a byte of it comes: a megabyte at 20 kB a second.
_REQUEST_SECONDS = 60.0
_OURS = (InvalidResponseHeader, InvalidResponseHeaderName)


class _Nameless(wsgi.Response):
    """An answer that doesn't say what software gave it."""

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


class _Hurried(SocketUnreader):
    """What comes in on a connection, for as long as one request may take."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.begin()

    def begin(self) -> None:
        """A request begins now."""
        self._until = time.monotonic() + _REQUEST_SECONDS

    def chunk(self, *given: Any) -> Any:
        if time.monotonic() > self._until:
            raise NoMoreData  # as if the client had left: its thread is given to others
        return super().chunk(*given)


class AdminWorker(ThreadWorker):
    """One process of the admin role."""

    def init_process(self) -> None:
        wsgi.Response = _Nameless  # it is made within gunicorn, which has no setting for it
        super().init_process()

    def handle_exit(self, sig: Any, frame: Any) -> None:
        end_streams()  # they would hold up the end as long as anybody watches
        super().handle_exit(sig, frame)

    def handle(self, conn: Any) -> Any:
        # The kernel's timeouts: gunicorn sets its own sockets to blocking before each request.
        for option, seconds in ((socket.SO_RCVTIMEO, _RECEIVE_SECONDS), (socket.SO_SNDTIMEO, _SEND_SECONDS)):
            conn.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
        conn.init()
        if isinstance(conn.parser.unreader, _Hurried):
            conn.parser.unreader.begin()
        else:
            conn.parser.unreader = _Hurried(conn.sock)
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that can't be read, or that failed outside the application.

        Gunicorn's own would send a page of HTML, and log the line or header that it stumbled over: a phone, a key.
        """
        if isinstance(exc, ParseException) and not isinstance(exc, _OURS):
            _log.info("a request from %s can't be read: %s", addr[0] if addr else "?", type(exc).__name__)
            answer = _written(BAD_REQUEST, _detail(exc))
        else:
            _log.error("a request failed: %s in %s", type(exc).__name__, place_of(exc))
            answer = _written(INTERNAL, INTERNAL.advice)
        try:
            client.sendall(answer)
        except OSError as gone:
            _log.debug("nobody takes the answer: %s", gone)


def _detail(unreadable: ParseException) -> str:
    match unreadable:
        case LimitRequestLine():
            return "the address is too long: ask for less at once"
        case InvalidRequestLine():
            return "its first line is no HTTP: escape what is not ASCII in the address, as UTF-8"
        case LimitRequestHeaders():
            return "the headers are too many or too long: send fewer"
    return f"this is no HTTP that can be read. {BAD_REQUEST.advice}"


def _written(kind: Kind, detail: str) -> bytes:
    body = json.dumps(document_of(kind, detail, (), None)).encode()
    reason = {BAD_REQUEST: "Bad Request"}.get(kind, "Internal Server Error")
    headers = {"Connection": "close", "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **BARE}
    lines = [f"HTTP/1.1 {kind.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
