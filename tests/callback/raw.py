"""HTTP spoken by hand: any bytes on a connection, and the answers that came back."""

import io
import socket
import time
from dataclasses import dataclass
from http.client import HTTPResponse

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Response:
    """One answer: its status, headers in their order, and body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


def exchange(port: int, *sent: bytes, pause: float = 0.0, half_close: bool = False, may_reset: bool = False) -> bytes:
    """Everything that came back on one connection until the server closed it.

    Each of ``sent`` goes out on its own, ``pause`` seconds apart; ``half_close`` says after the last that it was all.
    A server that closes with bytes unread resets the connection, and many a client then loses the answer: that is an
    error, unless it ``may_reset``.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        try:
            for number, data in enumerate(sent):
                if number:
                    time.sleep(pause)
                connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            if not may_reset:
                raise
        try:
            while data := connection.recv(65_536):
                received += data
        except ConnectionError:
            if not may_reset:
                raise
    return received


def responses(received: bytes, methods: list[str] | None = None) -> list[Response]:
    """The answers in what came back; ``methods`` are those of the requests where any was HEAD, which has no body."""
    stream = _Received(received)
    answers: list[Response] = []
    while not stream.at_end():
        method = methods[len(answers)] if methods else None
        response = HTTPResponse(stream, method=method)  # type: ignore[arg-type]
        response.begin()
        answers.append(Response(response.status, response.getheaders(), response.read()))
    return answers


def ask(port: int, request: bytes, *, may_reset: bool = False) -> Response:
    """The one answer to one request, after which the server is to close the connection."""
    (only,) = responses(exchange(port, request, may_reset=may_reset))
    return only


def get(target: bytes, *headers: bytes) -> bytes:
    """A GET of ``target``, as the gateway sends it, on a connection of its own."""
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers, b"", b""])


def post(target: bytes, body: bytes, *headers: bytes) -> bytes:
    """A POST of a form."""
    form = b"Content-Type: application/x-www-form-urlencoded"
    lines = [b"POST " + target + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *(headers or [form])]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


class _Received:
    """What HTTPResponse takes for a socket: gives the same stream on, however many responses are read from it."""

    def __init__(self, received: bytes) -> None:
        self._stream = io.BytesIO(received)
        self._stream.close = lambda: None  # type: ignore[method-assign]

    def makefile(self, _mode: str) -> io.BytesIO:
        return self._stream

    def at_end(self) -> bool:
        return self._stream.tell() == len(self._stream.getbuffer())
