"""Requests as bytes, for what no HTTP library would send."""

import http.client
import socket
from urllib.parse import quote

from tests.admin.client import Answer

WAITS = 30.0


def ask(port: int, request: bytes, *, more: bool = False) -> Answer:
    """What is answered to these bytes; nothing follows them unless ``more``. A stream's body is not waited for."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAITS) as connection:
        try:
            connection.sendall(request)
            if not more:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it answered before it had read all
        response = http.client.HTTPResponse(connection)
        response.begin()
        is_stream = response.headers.get_content_type() == "text/event-stream"
        return Answer(response.status, response.headers, b"" if is_stream else response.read())


def written(
    method: str, target: str | bytes, token: str | None, body: bytes | None = None, *headers: bytes, length: bool = True
) -> bytes:
    """A request as it goes on the wire, its target as it is."""
    raw = quote(target, safe="/%?&=+:,;@") if isinstance(target, str) else target
    lines = [
        method.encode() + b" " + (raw.encode() if isinstance(raw, str) else raw) + b" HTTP/1.1",
        b"Host: localhost",
    ]
    if token is not None:
        lines.append(b"Authorization: Bearer " + token.encode())
    if body is not None and length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, *headers, b"Connection: close", b"", b""]) + (body or b"")
