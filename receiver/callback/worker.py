"""The server worker of the callback: every connection a greenlet, every request answered, whatever it is.

Gunicorn's gevent worker, with its own way from a request to an answer:

- a request that can't be read at all is handed to the application as ``receiver.unreadable``, which keeps it and
  answers with one of our numbers, where gunicorn would send an HTML page and forget a reply that may never come again;
- an answer is one write of a few bytes; gunicorn's general one (streaming, chunking, early hints, access log) costs as
  much as all that we do with a reply.

Nothing is monkey-patched: the application waits with greenlets of its own (``receiver.intake.greenlets``), and the
database is spoken to by a real thread, so that a slow commit never stops the others from being read.
"""

import io
import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes

import gevent
from gevent import socket
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, NoMoreData
from gunicorn.workers.ggevent import GeventWorker

from receiver.observability import place_of
from receiver.tally import CONNECTIONS

from .answer import HEADERS, Answer
from .limits import LARGEST_KEPT, REQUEST_SECONDS, UNREADABLE, Unreadable
from .request import LenientParser

_log = logging.getLogger(__name__)

_BODY_HEADERS = frozenset(["CONTENT-LENGTH", "TRANSFER-ENCODING"])
_LINGER_SECONDS = 2.0
_OPEN = CONNECTIONS.of()
_LINGER_BYTES = 1 << 20

Headers = list[tuple[str, str]]


class CallbackWorker(GeventWorker):
    """One process of the callback role."""

    def patch(self) -> None:
        self.sockets: list[Any] = [
            socket.socket(listener.FAMILY, socket.SOCK_STREAM, fileno=listener.sock.detach())
            for listener in self.sockets
        ]

    def run(self) -> None:
        self._strangers = 0
        super().run()
        self.wsgi.close()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        stranger = not self.wsgi.expects(addr[0])
        if stranger and self._strangers >= self.worker_connections // 2:
            client.close()  # half of the connections are for those who may call
            return
        self._strangers += stranger
        _OPEN.add()
        parser = LenientParser(self.cfg, client, addr)
        try:
            while self._serve_next(parser, client, addr):
                pass
        except (StopIteration, NoMoreData):
            pass  # the client is done, or left in the middle of a request
        except OSError as error:
            _log.debug("a connection broke: %s", error)
        finally:
            self._strangers -= stranger
            _OPEN.add(-1)
            client.close()

    def _serve_next(self, parser: LenientParser, client: Any, addr: Any) -> bool:
        """Answer the connection's next request; whether another may follow."""
        timeout = gevent.Timeout.start_new(REQUEST_SECONDS)
        try:
            request = next(parser)
            whole = _read_body(request, client)
        except gevent.Timeout as expired:
            if expired is not timeout:
                raise
            return False  # too slow, or nothing more came
        except (StopIteration, NoMoreData, OSError):
            raise
        except Exception as error:
            self._answer_unreadable(parser, client, addr, error)
            return False
        finally:
            timeout.close()

        stays = whole and self.alive and not request.should_close()
        status, headers, body = self._respond(_environ(request, addr))
        _send(client, _message(status, headers, b"" if request.method == "HEAD" else body, stays))
        if not whole:
            _linger(client)
        return stays

    def _answer_unreadable(self, parser: LenientParser, client: Any, addr: Any, error: Exception) -> None:
        unreader = parser.unreader
        path, _, query = unreader.asked_for.partition(b"?")
        too_large = isinstance(error, LimitRequestLine | LimitRequestHeaders)
        environ = {
            **_BASE_ENVIRON,
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path.decode("latin-1") if path.startswith(b"/") else self.app.callback_path,
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_PROTOCOL": "HTTP/1.0",
            "REMOTE_ADDR": addr[0],
            # A trusted proxy speaks for somebody here too, and were it for nobody that can be told, then for no one
            # who is allowed.
            "HTTP_X_FORWARDED_FOR": unreader.forwarded_for,
            "wsgi.input": io.BytesIO(),
            UNREADABLE: Unreadable(type(error).__name__, unreader.head, too_large, unreader.line_is_whole),
        }
        _send(client, _message(*self._respond(environ), stays=False))
        _linger(client)

    def _respond(self, environ: dict[str, Any]) -> tuple[str, Headers, bytes]:
        begun: list[tuple[str, Headers]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: Headers, _exc_info: Any = None) -> Callable[[bytes], None]:
            begun[:] = [(status, headers)]
            return written.append

        try:
            parts = self.wsgi(environ, start_response)
            try:
                body = b"".join([*written, *parts])
            finally:
                if hasattr(parts, "close"):
                    parts.close()
            return *begun[0], body
        except Exception as failure:
            _log.error("the application failed: %s in %s", type(failure).__name__, place_of(failure))
            return "200 OK", [*HEADERS], Answer.UNAVAILABLE.body


# What is the same in every request's WSGI environment (PEP 3333).
_BASE_ENVIRON: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": io.StringIO(),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


def _environ(request: Any, addr: Any) -> dict[str, Any]:
    path: str = request.path
    environ = {
        **_BASE_ENVIRON,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/{request.version[0]}.{request.version[1]}",
        "REMOTE_ADDR": addr[0],
        "wsgi.input": request.body,
    }
    for name, value in request.headers:
        key = name.replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _message(status: str, headers: Headers, body: bytes, stays: bool) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Date: {_date(int(time.time()))}", "Connection: " + _CONNECTION[stays]]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name == "Content-Length" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_CONNECTION = {True: "keep-alive", False: "close"}
_date_now: tuple[int, str] = (0, "")


def _date(second: int) -> str:
    global _date_now
    if _date_now[0] != second:
        _date_now = (second, formatdate(second, usegmt=True))
    return _date_now[1]


def _send(client: Any, message: bytes) -> None:
    # One system call nearly always; gevent's sendall asks for the buffer's size first. Who doesn't read gets no more
    # time than who doesn't write.
    client.settimeout(REQUEST_SECONDS)
    sent = client.send(message)
    if sent < len(message):
        client.sendall(message[sent:])


def _read_body(request: Any, client: Any) -> bool:
    """Put the body in memory, before a view waits for it; whether that is all of it."""
    if request._expected_100_continue:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if request.method == "GET" and not any(name in _BODY_HEADERS for name, _ in request.headers):
        return True
    body = request.body.read(LARGEST_KEPT + 1)
    promised = [int(value) for name, value in request.headers if name == "CONTENT-LENGTH"]
    if promised and len(body) < min(promised[0], LARGEST_KEPT):
        raise NoMoreData(b"")
    request.body = io.BytesIO(body)
    return len(body) <= LARGEST_KEPT


def _linger(client: Any) -> None:
    """Let the client read our answer: closing with its bytes unread would reset the connection under it."""
    client.shutdown(socket.SHUT_WR)
    deadline, read = time.monotonic() + _LINGER_SECONDS, 0
    with gevent.Timeout(_LINGER_SECONDS, False):
        while read < _LINGER_BYTES and time.monotonic() < deadline and (data := client.recv(65_536)):
            read += len(data)
