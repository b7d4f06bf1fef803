"""One request and its answer on a connection of its own, each within one deadline (HTTP/1.1).

A connection per call: on one that is kept, a send could meet the server closing it, and be in doubt for nothing. HTTP
libraries count their timeout anew for every read, log URLs, and tell too little apart; here it is known at each step
whether a byte may have left. The system's resolver alone, before that, keeps a time of its own.

To connect is apart from asking: whoever must not ask late has a connection that stands, and needs but write.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import InDoubt, NotSent, Unreadable
from .request import Form

LARGEST_ANSWER = 65_536
"""Bytes of an answer with its headers."""
_HEADERS = (
    "User-Agent: receiver\r\n"
    "Accept: text/plain, text/html\r\n"
    "Accept-Encoding: identity\r\n"
    # A cache between us and the gateway would answer a send or a read with an older one's answer.
    "Cache-Control: no-cache, no-store\r\n"
    "Pragma: no-cache\r\n"
    "Connection: close\r\n"
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where the gateway's pages are."""

    tls: bool
    host: str
    port: int
    authority: str
    folder: str

    @classmethod
    def of(cls, url: str) -> "Site":
        """Raises ValueError, which does not show ``url``."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
            parts = urlsplit("")
        plain = url.isascii() and url.isprintable() and not any(char in url for char in " @?#")
        if parts.scheme not in ("http", "https") or not host or port == 0 or not plain:
            raise ValueError("the gateway's address must be the folder of its pages, like http://203.81.21.34/send/")
        tls = parts.scheme == "https"
        return cls(tls, host, port or (443 if tls else 80), parts.netloc, parts.path.removesuffix("/") + "/")


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. ``whole``: HTTP told its length, so that nothing can be missing at its end."""

    status: int
    body: bytes = field(repr=False)
    whole: bool


class Deadline:
    """When a call must be over, ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds, more than none. Raises TimeoutError."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def exchange(site: Site, method: str, page: str, form: Form, deadline: Deadline) -> Answer:
    """Ask for ``page`` by POST or GET, once, and have the whole answer by ``deadline``.

    Raises NotSent where no connection was made; InDoubt once a byte may have left, as Unreadable where some of an
    answer came. A redirect is an answer like others: it is not followed.
    """
    return connected(site, deadline).ask(method, page, form, deadline)


class Connection:
    """A connection that stands, for one request."""

    def __init__(self, site: Site, connection: socket.socket) -> None:
        self._site, self._socket = site, connection

    def close(self) -> None:
        self._socket.close()

    def ask(
        self, method: str, page: str, form: Form, deadline: Deadline, ready: Callable[[], None] = lambda: None
    ) -> Answer:
        """Ask as ``exchange`` does, and close the connection.

        ``ready`` is called right before the first byte; where it raises, none has left.
        """
        unsent = memoryview(_wire(self._site, method, page, form))
        with closing(self._socket) as connection:
            self._check_open()
            ready()
            may_have_left = self._site.tls
            try:
                while unsent:
                    connection.settimeout(deadline.remaining())
                    unsent = unsent[connection.send(unsent) :]
                    may_have_left = True
            except OSError as failure:
                # Where the first write fails, the system has taken nothing; over TLS it may have taken a part of it.
                kind = InDoubt if may_have_left else NotSent
                raise kind(f"{page}: while asking, {_reason(failure)}") from None
            return _answer(_Incoming(connection, deadline), method, page)

    def _check_open(self) -> None:
        """Raise NotSent where the other side has ended it, or said something before it was asked."""
        why = "it was closed before anything was asked"
        try:
            self._socket.setblocking(False)
            if self._socket.recv(1):
                why = "something was said before anything was asked"
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return  # nothing came: it stands
        except OSError as failure:
            why = _reason(failure)
        raise NotSent(f"the connection to {self._site.authority} was of no use: {why}")


def connected(site: Site, deadline: Deadline) -> Connection:
    """A connection to ``site``, which is the caller's to close. Raises NotSent."""
    failure: Exception = OSError("it has no address")
    try:
        addresses = socket.getaddrinfo(site.host, site.port, type=socket.SOCK_STREAM)
        for place, (family, kind, protocol, _, address) in enumerate(addresses):
            try:
                # A share of the time for each, so that one that never answers leaves some for the next.
                seconds = deadline.remaining() / (len(addresses) - place)
                return Connection(site, _secured(site, _open(family, kind, protocol, address, seconds), deadline))
            except OSError as this:
                failure = this
    except (OSError, ValueError) as this:  # ValueError: a name that can't be one
        failure = this
    why = _reason(failure) if isinstance(failure, OSError) else "this can't be a host's name"
    raise NotSent(f"no connection to {site.authority}: {why}") from None


def _open(family: int, kind: int, protocol: int, address: Any, seconds: float) -> socket.socket:
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _secured(site: Site, connection: socket.socket, deadline: Deadline) -> socket.socket:
    if not site.tls:
        return connection
    try:
        connection.settimeout(deadline.remaining())
        return ssl.create_default_context().wrap_socket(connection, server_hostname=site.host)
    except BaseException:
        connection.close()
        raise


def _wire(site: Site, method: str, page: str, form: Form) -> bytes:
    target, host = (site.folder + page).encode("ascii"), f" HTTP/1.1\r\nHost: {site.authority}\r\n{_HEADERS}".encode()
    if method == "get":
        return b"GET " + target + b"?" + form.wire + host + b"\r\n"
    described = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(form.wire)
    return b"POST " + target + host + described + form.wire


class _Incoming(io.RawIOBase):
    """What comes in on a connection, kept as it came, until the deadline or the bound."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._received = bytearray()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # Before each read the time that is left: a server that drips can't hold us longer, not within headers either.
        self._connection.settimeout(self._deadline.remaining())
        count = self._connection.recv_into(buffer)
        self._received += buffer[:count]
        if len(self._received) > LARGEST_ANSWER:
            raise _TooLarge
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What the standard library's parser asks of a socket."""
        return io.BufferedReader(self)

    @property
    def began(self) -> bool:
        return bool(self._received)

    @property
    def body(self) -> bytes:
        """What came of an answer that could not be read to its end, from behind its headers where they are there."""
        headers, end, body = bytes(self._received[:LARGEST_ANSWER]).partition(b"\r\n\r\n")
        return body if end else headers


class _TooLarge(OSError):
    pass


def _answer(incoming: _Incoming, method: str, page: str) -> Answer:
    import http.client  # 25 ms that a command which calls no gateway never pays

    source: Any = incoming
    response = http.client.HTTPResponse(source, method=method.upper())
    try:
        response.begin()
        told = response.chunked or response.length is not None
        body = response.read(LARGEST_ANSWER)
        if response.length:
            raise http.client.IncompleteRead(body)
    except (OSError, http.client.HTTPException, ValueError) as failure:
        why = f"{page}: {_reason(failure)}"
        raise Unreadable(why, incoming.body) if incoming.began else InDoubt(why) from None
    finally:
        response.close()
    return Answer(response.status, body, whole=told)


def _reason(failure: Exception) -> str:
    """A failure in words of ours: those of the libraries may quote what was asked or answered."""
    if isinstance(failure, TimeoutError):
        return "no answer in time"
    if isinstance(failure, _TooLarge):
        return f"the answer is larger than {LARGEST_ANSWER:,} bytes"
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate can't be trusted: {failure.verify_message}"
    if type(failure).__name__ == "RemoteDisconnected":
        return "the connection was closed without an answer"
    if type(failure).__name__ == "IncompleteRead":
        return "the answer is cut"
    if isinstance(failure, ConnectionResetError | BrokenPipeError):
        return "the connection was lost"
    return (failure.strerror or type(failure).__name__).lower() if isinstance(failure, OSError) else "it is not HTTP"
