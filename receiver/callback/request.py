"""Reading requests as a careless gateway sends them: gunicorn's parser, taught to accept any byte in a target.

The request line may hold bytes above 0x7F, spaces and other characters that must be escaped and are not
(protocol.md §8). They are escaped for the parser and handed on as they came.
"""

import re
from typing import Any

from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader

from .limits import LARGEST_KEPT

# RFC 9112 §3.2: what may stand in a request target. '#' is escaped too: no client sends a fragment, so it is text.
_ESCAPED = {byte: f"%{byte:02X}" for byte in range(256) if not 0x21 <= byte <= 0x7E or byte == 0x23}

_ENDS_WITH_LINE_FEED = re.compile(rb"[^\r\n]* HTTP/[0-9.]+[ \t]*\n")
# What the first line of an unreadable request asks for, as well as can be told.
_ASKED_FOR = re.compile(rb"\s*[A-Za-z]+[ \t]+(\S[^\r\n]*?)(?:[ \t]+HTTP/[0-9.]+[ \t]*)?(?:\r|\n|$)")
_FORWARDED_FOR = re.compile(rb"^x-forwarded-for[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class LenientRequest(Request):
    """A request whose target may hold any byte but a line feed; ``query`` is the query as it came, in Latin-1."""

    def __init__(self, cfg: Any, unreader: "RecordingUnreader", peer_addr: Any, req_number: int = 1) -> None:
        unreader.begin()
        super().__init__(cfg, unreader, peer_addr, req_number)

    def parse(self, unreader: Any) -> Any:
        # Larger than gunicorn's own limit goes: what is too large for us is kept and answered -3.
        self.limit_request_line = LARGEST_KEPT
        return super().parse(unreader)

    def _peer_trusted_for_forwarded(self) -> tuple[dict[str, str], list[str]]:
        # Whom a proxy speaks for is our own question (callback.access); gunicorn's costs a twentieth of a request.
        return {}, []

    def read_line(self, unreader: Any, buf: bytearray, limit: int = 0) -> Any:
        # A line feed in a target is text, as everything else there; at the end of a line it is no request of HTTP's.
        while (end := buf.find(b"\r\n")) < 0 and not _ENDS_WITH_LINE_FEED.match(buf) and len(buf) <= limit:
            self.read_into(unreader, buf)
        if 0 <= end <= limit and not _ENDS_WITH_LINE_FEED.match(buf):
            return bytes(buf[:end]), buf[end + 2 :]
        return super().read_line(unreader, buf, limit)

    def parse_request_line(self, line_bytes: bytes) -> None:
        method, _, rest = bytes(line_bytes).partition(b" ")
        target, _, version = rest.rpartition(b" ")
        whole = version.startswith(b"HTTP/")
        self.unreader.note(target if whole else rest, whole)
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
        self.target = b""
        self.line_is_whole = False

    def begin(self) -> None:
        self.head = self.buf.getvalue()
        self.target, self.line_is_whole = b"", False

    @property
    def asked_for(self) -> bytes:
        """The target, also where the request line could not be parsed; empty where there is none to be seen."""
        if self.target:
            return self.target
        seen = _ASKED_FOR.match(self.head)
        return seen[1] if seen else b""

    @property
    def forwarded_for(self) -> str:
        """The header X-Forwarded-For, as well as can be told from what came; ``unknown`` where there is none."""
        found = _FORWARDED_FOR.findall(self.head)
        return b",".join(found).decode("latin-1") if found else "unknown"

    def note(self, target: bytes, line_is_whole: bool) -> None:
        self.target, self.line_is_whole = target, line_is_whole

    def chunk(self, size_hint: int | None = None) -> bytes:
        data: bytes = super().chunk(size_hint)
        if len(self.head) < LARGEST_KEPT:
            self.head += data[: LARGEST_KEPT - len(self.head)]
        return data


class LenientParser(RequestParser):
    """The requests of one connection."""

    mesg_class = LenientRequest

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self.unreader = RecordingUnreader(source)
