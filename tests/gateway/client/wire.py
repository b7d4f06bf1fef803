"""A TCP server that answers what a test says, byte for byte: never by our own code, nor by the simulator."""

import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Self
from urllib.parse import unquote_to_bytes

import trustme

_ESTABLISHED = 1  # TCP_INFO's first byte is the connection's state, by Linux's numbers


@cache
def authority() -> trustme.CA:
    """Who signs the server's certificate: of this test run alone."""
    return trustme.CA()


def http(body: bytes, status: bytes = b"200 OK", *, headers: bytes = b"", length: bool = True) -> bytes:
    """An answer in HTTP/1.1; without ``length`` its end is the connection's."""
    told = b"Content-Length: %d\r\n" % len(body) if length else b""
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html; charset=gb2312\r\n" + told + headers + b"\r\n" + body


@dataclass(frozen=True)
class Drip:
    """Send this, then these bytes again and again (or nothing) for as long as anybody listens."""

    first: bytes = b""
    byte: bytes = b"x"


class Reset:
    """Break the connection off once the request is there."""


class Silence:
    """Read the request, and wait until the other side gives up."""


class Deaf:
    """Answer nothing, whatever comes, and wait until the other side gives up."""


@dataclass(frozen=True)
class Unasked:
    """On ``hang_up`` say this, before anything is asked, and end it: orderly, or by breaking the connection off."""

    said: bytes = b""
    reset: bool = False


Behaviour = bytes | Drip | Reset | Silence | Deaf | Unasked


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    line: bytes
    headers: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.line.split()[0].decode()

    @property
    def path(self) -> str:
        return self.line.split()[1].partition(b"?")[0].decode()

    @property
    def form(self) -> bytes:
        """The parameters as they were on the wire."""
        return self.body if self.method == "POST" else self.line.split()[1].partition(b"?")[2]

    @property
    def parameters(self) -> dict[str, bytes]:
        pairs = [pair.partition(b"=") for pair in self.form.split(b"&")]
        return {name.decode(): unquote_to_bytes(value) for name, _, value in pairs}


class Answering:
    """Answers the first connection with the first behaviour, and so on; the last one stays."""

    def __init__(self, *behaviours: Behaviour, tls: bool = False) -> None:
        self.behaviours: Sequence[Behaviour] = behaviours
        self.asked: list[Asked] = []
        self._may_hang_up = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/send/"
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
        if self._tls is not None:
            authority().issue_cert("127.0.0.1").configure_cert(self._tls)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more."""
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join(10)

    def hang_up(self, connection: socket.socket) -> None:
        """Have the first connection ended, and wait until the other end, which is ``connection``, has got that."""
        self._may_hang_up.set()
        hung_up(connection)

    def _serve(self) -> None:
        count = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            behaviour = self.behaviours[min(count, len(self.behaviours) - 1)]
            count += 1
            with connection:
                try:
                    if self._tls is None:
                        self._behave(connection, behaviour)
                        continue
                    with self._tls.wrap_socket(connection, server_side=True) as secured:
                        self._behave(secured, behaviour)
                except OSError:  # the other side has given up
                    continue

    def _behave(self, connection: socket.socket, behaviour: Behaviour) -> None:
        if isinstance(behaviour, Deaf):
            _wait_for_end(connection)
            return
        if isinstance(behaviour, Unasked):
            self._may_hang_up.wait(10)
            connection.sendall(behaviour.said)
            if behaviour.reset:
                _end_with_reset(connection)
            return
        self.asked.append(_read(connection))
        match behaviour:
            case bytes():
                connection.sendall(behaviour)
                connection.shutdown(socket.SHUT_WR)
                _wait_for_end(connection)
            case Drip():
                connection.sendall(behaviour.first)
                if not behaviour.byte:
                    _wait_for_end(connection)
                while behaviour.byte:
                    threading.Event().wait(0.02)
                    connection.sendall(behaviour.byte)
            case Reset():
                _end_with_reset(connection)
            case Silence():
                _wait_for_end(connection)


def _read(connection: socket.socket) -> Asked:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    line, _, headers = head.partition(b"\r\n")
    length = 0
    for header in headers.split(b"\r\n"):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += _more(connection)
    return Asked(line, headers, body)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("the request is cut")
    return data


def _end_with_reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hung_up(connection: socket.socket) -> None:
    """Wait until the other side's end of a connection has come to this one."""
    while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED:
        pass


def _wait_for_end(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass
