"""The server worker of the callback: reads what a careless gateway sends, and always answers with our numbers.

Gunicorn's gevent worker with two differences, both because a refused request may be a reply lost for good:

- the request line may hold bytes above 0x7F, spaces and other characters that must be escaped and are not
  (protocol.md §8): they reach the application as they came;
- a request that can't be read at all is handed to the application as ``receiver.unreadable``, which keeps it and
  answers, where gunicorn would send an HTML page.

Nothing is monkey-patched: the application waits with greenlets of its own (``receiver.intake.greenlets``), and the
database is spoken to by a real thread, so that a slow commit never stops the others from being read.
"""

import io
import logging
import time
from typing import Any

import gevent
from gevent import socket
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from .limits import LARGEST_KEPT, REQUEST_SECONDS, UNREADABLE, Unreadable

_log = logging.getLogger(__name__)

# RFC 9112 §3.2: what may stand in a request target; all else is escaped before gunicorn sees it. '#' too: no client
# sends a fragment, so it is part of a text.
_ESCAPED = {byte: f"%{byte:02X}" for byte in range(256) if not 0x21 <= byte <= 0x7E or byte == 0x23}
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 1 << 20


class LenientRequest(Request):
    """A request whose target may hold any byte but a line feed."""

    def __init__(self, cfg: Any, unreader: "RecordingUnreader", peer_addr: Any, req_number: int = 1) -> None:
        unreader.begin()
        super().__init__(cfg, unreader, peer_addr, req_number)

    def parse(self, unreader: Any) -> Any:
        # Larger than gunicorn's own limit goes: what is too large for us is kept and answered -3.
        self.limit_request_line = LARGEST_KEPT
        return super().parse(unreader)

    def parse_request_line(self, line_bytes: bytes) -> None:
        method, _, rest = bytes(line_bytes).partition(b" ")
        target, _, version = rest.rpartition(b" ")
        self.unreader.note(method, target if version.startswith(b"HTTP/") else rest)
        super().parse_request_line(b" ".join((method, _escape(target), version)))
        self.query = target.partition(b"?")[2].decode("latin-1")


def _escape(target: bytes) -> bytes:
    if target.isascii() and target.decode("ascii").isprintable() and b" " not in target and b"#" not in target:
        return target
    return target.decode("latin-1").translate(_ESCAPED).encode("ascii")


class RecordingUnreader(SocketUnreader):
    """Remembers how the present request began, for when it turns out to be none."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.head = b""
        self.method = "GET"
        self.target: bytes | None = None

    def begin(self) -> None:
        self.head = self.buf.getvalue()
        self.method, self.target = "GET", None

    def note(self, method: bytes, target: bytes) -> None:
        self.method, self.target = method.decode("latin-1"), target

    def chunk(self, size_hint: int | None = None) -> bytes:
        data: bytes = super().chunk(size_hint)
        if len(self.head) < LARGEST_KEPT:
            self.head += data[: LARGEST_KEPT - len(self.head)]
        return data


class LenientParser(RequestParser):
    mesg_class = LenientRequest

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self.unreader = RecordingUnreader(source)


class CallbackWorker(GeventWorker):
    """One process of the callback role."""

    def patch(self) -> None:
        self.sockets: list[Any] = [
            socket.socket(listener.FAMILY, socket.SOCK_STREAM, fileno=listener.sock.detach())
            for listener in self.sockets
        ]

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        parser = LenientParser(self.cfg, client, addr)
        try:
            name = listener.getsockname()
            while self._serve_next(name, parser, client, addr):
                pass
        except (StopIteration, NoMoreData):
            pass  # the client is done, or left in the middle of a request
        except OSError as error:
            _log.debug("a connection broke: %s", error)
        except Exception as error:
            self._answer_unreadable(parser, client, addr, error)
        finally:
            client.close()

    def _serve_next(self, listener_name: Any, parser: LenientParser, client: Any, addr: Any) -> bool:
        timeout = gevent.Timeout.start_new(REQUEST_SECONDS)
        try:
            request = next(parser)
            whole = self._read_body(request, client)
        except gevent.Timeout as expired:
            if expired is not timeout:
                raise
            return False  # too slow, or nothing more came
        finally:
            timeout.close()
        if not whole:
            request.force_close()
        try:
            self.handle_request(listener_name, request, client, addr)
        finally:
            if not whole:
                _linger(client)
        return whole

    def _read_body(self, request: Any, client: Any) -> bool:
        """Put the body in memory, before a view waits for it; whether that is all of it."""
        if request._expected_100_continue:
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request._expected_100_continue = False
        if request.method == "GET" and not any(name in _BODY_HEADERS for name, _ in request.headers):
            return True
        body = request.body.read(LARGEST_KEPT + 1)
        request.body = io.BytesIO(body)
        return len(body) <= LARGEST_KEPT

    def _answer_unreadable(self, parser: LenientParser, client: Any, addr: Any, error: Exception) -> None:
        unreader = parser.unreader
        path, _, query = (unreader.target or b"").partition(b"?")
        too_large = isinstance(error, LimitRequestLine | LimitRequestHeaders)
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path.decode("latin-1") if path.startswith(b"/") else self.app.callback_path,
            "QUERY_STRING": query.decode("latin-1"),
            "REMOTE_ADDR": addr[0] if isinstance(addr, tuple) else "",
            "SERVER_NAME": "",
            "SERVER_PORT": "",
            "SERVER_PROTOCOL": "HTTP/1.0",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            UNREADABLE: Unreadable(type(error).__name__, unreader.head, too_large),
        }
        status_line: list[str] = []
        body = b"".join(self.wsgi(environ, lambda status, _headers, _exc_info=None: status_line.append(status)))
        head = (
            f"HTTP/1.1 {status_line[0]}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
        )
        try:
            client.sendall(head.encode() + b"\r\n\r\n" + body)
            _linger(client)
        except OSError as broken:
            _log.debug("a connection broke: %s", broken)


_BODY_HEADERS = frozenset(["CONTENT-LENGTH", "TRANSFER-ENCODING"])


def _linger(client: Any) -> None:
    """Let the client read our answer: closing with its bytes unread would reset the connection under it."""
    client.shutdown(socket.SHUT_WR)
    deadline, read = time.monotonic() + _LINGER_SECONDS, 0
    with gevent.Timeout(_LINGER_SECONDS, False):
        while read < _LINGER_BYTES and time.monotonic() < deadline and (data := client.recv(65_536)):
            read += len(data)
