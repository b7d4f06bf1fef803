"""One keep-alive connection that pushes replies as a gateway does: once each, never again on its own."""

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from types import TracebackType

from .target import Target

ACKNOWLEDGED = "0"
# A server may close a connection that was idle for longer; sooner it never does.
_SURELY_OPEN_SECONDS = 0.5
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one push. ``said`` is the answer's body, or what stood in its place, in few words."""

    said: str
    seconds: float
    answered: bool = True
    unreachable: bool = False
    """No connection: nothing was sent, so that pushing again can't deliver twice."""

    @property
    def acknowledged(self) -> bool:
        return self.answered and self.said == ACKNOWLEDGED


class Connection:
    """Connects when it first must, and again after a failure."""

    def __init__(self, target: Target, timeout: float = 10.0) -> None:
        self._target = target
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._used = 0.0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, request: bytes) -> Answer:
        """Send ``request`` and wait for its answer. Never raises for what the network or the server does."""
        start = time.monotonic()
        try:
            connection = self._connected()
        except OSError as error:
            self.close()
            return Answer(f"unreachable: {_reason(error)}", time.monotonic() - start, answered=False, unreachable=True)
        try:
            connection.sendall(request)
            said, keep = _read(connection, request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(f"no answer: {_reason(error)}", time.monotonic() - start, answered=False)
        if not keep:
            self.close()
        self._used = time.monotonic()
        return Answer(said, self._used - start)

    def _connected(self) -> socket.socket:
        if (
            self._socket is not None
            and time.monotonic() - self._used > _SURELY_OPEN_SECONDS
            and _is_closed(self._socket)
        ):
            self.close()
        if self._socket is None:
            # At once the owner's, so that close() finds it even when the TLS handshake fails.
            self._socket = socket.create_connection((self._target.address, self._target.port), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._target.tls:
                self._socket = ssl.create_default_context().wrap_socket(
                    self._socket, server_hostname=self._target.server_name
                )
        return self._socket


def _read(connection: socket.socket, request: bytes) -> tuple[str, bool]:
    """The answer in few words, and whether the connection can be used again."""
    with http.client.HTTPResponse(connection, method=request[: request.index(b" ")].decode()) as response:
        response.begin()
        body = response.read().decode("utf-8", "replace")
        keep = not response.will_close
        status = response.status
    if status == 200 and len(body) <= _LONGEST_SHOWN and body.isprintable() and body:
        return body, keep
    return f"HTTP {status}: {body[:_LONGEST_SHOWN]!r}", keep


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed: then a request on it would be lost."""
    timeout = connection.gettimeout()
    connection.setblocking(False)
    try:
        connection.recv(1, 0 if isinstance(connection, ssl.SSLSocket) else socket.MSG_PEEK)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(timeout)
    return True  # closed, or an answer that nobody asked for


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
        return "connection lost"
    return (error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__).lower()
