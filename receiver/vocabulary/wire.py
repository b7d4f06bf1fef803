"""From the escaped bytes of a parameter to its text, and back to none: the wire's bytes are what is stored."""

import re
from urllib.parse import unquote_to_bytes

from .charset import Charset, Decoded, decode

# JavaScript's escape() writes a UTF-16 unit so. Where a person typed these letters, the percent sign comes as %25.
_UTF_16_UNIT = re.compile(rb"%[uU]([0-9A-Fa-f]{4})")
# Where a parameter ends, in a query or the head of a request.
_ENDS = re.compile(rb"[&?]")
# Control characters as their pictures (␀ ␁ … ␡): PostgreSQL can't hold NUL, and people should see the others.
_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"} | {0x7F: 0x2421}


def read_text(wire: bytes, charset: Charset = Charset.AUTO) -> Decoded:
    """The text of a query parameter's value as it was on the wire: ``+``, ``%XX``, ``%uXXXX``, or raw bytes.

    What is no escape is kept as it is: ``100%`` stays ``100%``. Never raises.
    """
    if b"%u" in wire or b"%U" in wire:
        return _with_utf_16_units(wire, charset)
    return decode(unescape(wire), charset)


def unescape(wire: bytes) -> bytes:
    """``wire`` with ``+`` and ``%XX`` replaced by the bytes they stand for."""
    return unquote_to_bytes(wire.replace(b"+", b" "))


def values_in(wire: bytes, name: bytes) -> list[bytes]:
    """Every value that the parameter ``name`` (lower case) seems to have in a request or an answer, still escaped."""
    pairs = (part.partition(b"=") for part in _ENDS.split(wire))
    return [value for key, equals, value in pairs if equals and unescape(key).strip().lower() == name]


def visible(text: str) -> str:
    """``text`` with its control characters, but for tab and line ends, replaced by their pictures."""
    return text if text.isprintable() else text.translate(_PICTURES)


def _with_utf_16_units(wire: bytes, charset: Charset) -> Decoded:
    pieces = _UTF_16_UNIT.split(wire)
    plain = [unescape(piece) for piece in pieces[::2]]
    decided = decode(b"".join(plain), charset)
    read = [decode(piece, decided.charset) for piece in plain]
    units = [chr(int(unit, 16)) for unit in pieces[1::2]] + [""]
    joined = "".join(piece.text + unit for piece, unit in zip(read, units, strict=True))
    text = joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    whole = "\ufffd" not in text and all(piece.certain for piece in read)
    return Decoded(text, decided.charset, decided.certain and whole)
