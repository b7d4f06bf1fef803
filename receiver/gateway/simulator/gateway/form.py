"""Requests and answers as a classic ASP page reads and writes them: bytes in the gateway's charset."""

import re
from collections.abc import Mapping, Sequence

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
Fields = Sequence[tuple[str, bytes]]


def parameters(query: bytes, body: bytes, charset: str) -> Mapping[str, str]:
    """The parameters by their names in small letters; the query's win over the form's, as in ASP's ``Request``.

    One that comes several times is joined by a comma and a space, as ASP does. Bytes that are none of the charset's
    become U+FFFD.
    """
    return _read(body, charset) | _read(query, charset)


def page(fields: Fields) -> bytes:
    """``fields`` as a query string, with nothing escaped: a text's own ``&`` and ``=`` are written as they are."""
    return b"&".join(name.encode("ascii") + b"=" + value for name, value in fields)


def encoded(text: str, charset: str) -> bytes:
    """``text`` as the gateway writes it: ``?`` for what its charset lacks."""
    return text.encode(charset, "replace")


def utf_16_length(text: str) -> int:
    """Characters as ASP's ``Len`` counts them: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, length: int) -> str:
    """The first ``length`` characters as ASP's ``Left`` counts them; half an emoji becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * length].decode("utf-16-le", "replace")


def _read(query: bytes, charset: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in query.split(b"&"):
        name, equals, value = pair.partition(b"=")
        if not equals:
            continue
        key, said = _unescape(name).decode("latin-1").lower(), _unescape(value).decode(charset, "replace")
        found[key] = f"{found[key]}, {said}" if key in found else said
    return found


def _unescape(value: bytes) -> bytes:
    return _ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), value.replace(b"+", b" "))
