"""A reply as bytes on the wire, in every way that gateways were seen to write one (protocol.md §1, §8)."""

from enum import StrEnum
from urllib.parse import quote, quote_from_bytes

# JavaScript's escape() leaves these alone.
_UNESCAPED_BY_JAVASCRIPT = "@*_+-./"


class Encoding(StrEnum):
    """How the text of a reply is written."""

    UTF_8 = "utf-8"
    GBK = "gbk"
    GB18030 = "gb18030"
    RAW_GBK = "raw-gbk"
    RAW_UTF_8 = "raw-utf-8"
    ESCAPE = "escape"

    @property
    def codec(self) -> str:
        return self.removeprefix("raw-")


class Unencodable(ValueError):
    """The text holds a character that the charset lacks."""


def written(text: str, encoding: Encoding) -> bytes:
    """``text`` as the value of a parameter. Raises Unencodable."""
    try:
        if encoding is Encoding.ESCAPE:
            return _javascript_escape(text)
        if encoding in (Encoding.RAW_GBK, Encoding.RAW_UTF_8):
            return b"".join(quote(char).encode() if char.isascii() else char.encode(encoding.codec) for char in text)
        return quote_from_bytes(text.encode(encoding.codec), safe="").encode()
    except UnicodeEncodeError as error:
        lacking = error.object[error.start]
        raise Unencodable(f"{encoding.codec} has no {lacking!r}: use gb18030, utf-8 or escape") from None


def parameters(src: str, dst: str, msg: bytes) -> bytes:
    """The query or form body of a reply; ``msg`` is written already."""
    return b"src=" + quote(src, safe="").encode() + b"&dst=" + quote(dst, safe="").encode() + b"&msg=" + msg


def request(host: str, path: str, said: bytes, *, post: bool = False) -> bytes:
    """An HTTP request that says ``said``, whatever bytes it holds: HTTP libraries refuse to write some of them."""
    target = path.encode("ascii")
    end = b"\r\nHost: " + host.encode("ascii") + b"\r\nUser-Agent: receiver-simulator\r\n"
    if not post:
        return b"GET " + target + (b"&" if b"?" in target else b"?") + said + b" HTTP/1.1" + end + b"\r\n"
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(said)
    return b"POST " + target + b" HTTP/1.1" + end + form + said


def _javascript_escape(text: str) -> bytes:
    utf_16 = text.encode("utf-16-be", "surrogatepass")
    units = [int.from_bytes(utf_16[start : start + 2]) for start in range(0, len(utf_16), 2)]
    return "".join(_javascript_unit(unit) for unit in units).encode("ascii")


def _javascript_unit(unit: int) -> str:
    if unit > 0xFF:
        return f"%u{unit:04X}"
    char = chr(unit)
    plain = char.isascii() and (char.isalnum() or char in _UNESCAPED_BY_JAVASCRIPT)
    return char if plain else f"%{unit:02X}"
