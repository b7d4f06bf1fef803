"""A small HTTP server that can break off an answer at any byte, as HTTP libraries refuse to."""

import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import BinaryIO

_LARGEST_HEAD, _LARGEST_BODY = 65_536, 1_048_576
_REASONS = {200: "OK", 400: "Bad Request", 404: "Object Not Found", 405: "Method Not Allowed", 413: "Too Large"}
_REASONS |= {411: "Length Required", 500: "Internal Server Error"}
_TICK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """A request; ``path`` is as it was on the wire, without the query."""

    method: str
    path: str
    query: bytes
    body: bytes
    peer: str
    last: bool = False
    """The caller wants the connection closed after the answer."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, and what is to happen to it."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html"
    headers: tuple[str, ...] = ()
    delay: float = 0.0
    """Seconds, if the caller waits so long."""
    silent: bool = False
    """Never answered: the caller must leave."""
    length_told: bool = True
    end: int | None = None
    """The answer ends after so many bytes of the body; negative: so many before it."""
    reset: bool = False
    leaving: Callable[[], None] = lambda: None
    """Called right before the first byte leaves, or is known never to."""
    last: bool = False
    """The connection is closed after it."""

    def head(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Error')}",
            "Server: Microsoft-IIS/6.0 (simulated)",
            f"Content-Type: {self.content_type}",
            "Cache-Control: private",
            *self.headers,
        ]
        if self.length_told:
            lines.append(f"Content-Length: {len(self.body)}")
        if not self.keeps_alive:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    @property
    def keeps_alive(self) -> bool:
        return self.length_told and self.end is None and not self.reset and not self.last


class Server:
    """Listens from the moment it is made; answers between ``start`` and ``close``, each connection by a thread.

    Raises OSError where it can't listen.
    """

    def __init__(self, host: str, port: int, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=256)
        self.port: int = self._listener.getsockname()[1]
        # Closing a socket doesn't wake who waits for it; a byte here does.
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="simulated-gateway", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop listening, break every connection off, and wait for the threads."""
        self.stopping.set()
        self._wake.send(b"!")
        if self._thread.is_alive():
            self._thread.join()
        for own in (self._listener, self._wake, self._woken):
            own.close()
        with self._lock:
            open_ones = dict(self._connections)
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in open_ones.values():
            thread.join()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            if self._woken in select.select([self._listener, self._woken], [], [])[0]:
                return
            try:
                connection, peer = self._listener.accept()
            except (
                OSError
            ):  # the caller left again before it was accepted, or no file is left: the next may fare better
                self.stopping.wait(_TICK_SECONDS)
                continue
            thread = threading.Thread(target=self._serve, args=(connection, peer[0]), daemon=True)
            with self._lock:
                self._connections[connection] = thread
                thread.start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                goes_on = True
                while goes_on and not self.stopping.is_set():
                    request = _read(stream, connection.sendall, peer)
                    if request is None:
                        return
                    response = self._answer(request) if isinstance(request, Request) else request
                    if isinstance(request, Request) and request.last:
                        response = replace(response, last=True)
                    goes_on = self._respond(connection, response)
        except OSError:
            return  # the caller has left: there is nobody to tell
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def _respond(self, connection: socket.socket, response: Response) -> bool:
        """Send ``response`` as far as it is to go; whether the connection goes on."""
        if response.silent:
            response.leaving()
            self._wait(connection, None)
            return False
        if response.delay and not self._wait(connection, response.delay):
            return False
        response.leaving()
        head = response.head()
        whole = head + response.body
        connection.sendall(whole if response.end is None else whole[: max(0, len(head) + response.end)])
        if response.reset:
            # Closing with this set sends a reset in place of an orderly end.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return response.keeps_alive

    def _wait(self, connection: socket.socket, seconds: float | None) -> bool:
        """Wait ``seconds``, or for ever; whether the caller waited too. False at once when it leaves or we stop."""
        waited = 0.0
        while seconds is None or waited < seconds:
            pause = _TICK_SECONDS if seconds is None else min(_TICK_SECONDS, seconds - waited)
            if self.stopping.wait(pause):
                return False
            waited += pause
            if select.select([connection], [], [], 0)[0] and not connection.recv(1, socket.MSG_PEEK):
                return False
        return True


def _read(stream: BinaryIO, send: Callable[[bytes], object], peer: str) -> Request | Response | None:
    """The next request; the answer to one that is none; None when the caller is done."""
    line, head = stream.readline(_LARGEST_HEAD), stream.readline(_LARGEST_HEAD)
    if not line:
        return None
    # What stands between the method and the version is the target, whatever bytes it holds.
    method, _, rest = line.rstrip(b"\r\n").partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not target or not version.startswith(b"HTTP/1."):
        return _refused(400)
    headers: dict[bytes, bytes] = {}
    size = len(line)
    while head not in (b"\r\n", b"\n"):
        size += len(head)
        if not head or size > _LARGEST_HEAD:
            return _refused(400)
        name, _, value = head.partition(b":")
        headers[name.strip().lower()] = value.strip()
        head = stream.readline(_LARGEST_HEAD)
    if b"transfer-encoding" in headers:
        return _refused(411)
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > _LARGEST_BODY:
        return _refused(413 if length.isdigit() else 400)
    if headers.get(b"expect", b"").lower() == b"100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = stream.read(int(length))
    if len(body) < int(length):
        return None
    path, _, query = target.partition(b"?")
    last = version == b"HTTP/1.0" or headers.get(b"connection", b"").lower() == b"close"
    return Request(method.decode("latin-1"), path.decode("latin-1"), query, body, peer, last)


def _refused(status: int) -> Response:
    return Response(_REASONS[status].encode(), status, length_told=False)
