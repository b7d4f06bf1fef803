"""The fields of an answer, in whatever order, case and charset the gateway wrote them (protocol.md §2 to §6)."""

import re
from collections.abc import Set
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from receiver.vocabulary import Charset, decode
from receiver.vocabulary.wire import unescape, visible

from .codes import MEANINGS
from .errors import Unreadable

TEXT = "err"
CODE = "errid"
_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HIGH_ESCAPE = re.compile(rb"%[89A-Fa-f][0-9A-Fa-f]")
_NUMBER = re.compile(rb"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in an answer, by lower-case name.

    ``unended`` names the field whose end is not known: the last one, where neither HTTP told the answer's length nor a
    sign follows. A cut there can't be seen (``num=12`` cut to ``num=1``), so that nothing may be decided by it.
    """

    values: dict[str, bytes] = field(repr=False)
    unended: str | None
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, body: bytes, names: Set[str], *, whole: bool) -> "Fields":
        """The fields ``names`` of ``body``; others are ignored. ``whole``: HTTP said how long the answer is.

        An ``&`` within ``err`` belongs to it, with what follows up to the next field. Raises Unreadable for a page of
        HTML, and for a field that stands there twice with two values.
        """
        values: dict[str, bytes] = {}
        within_text, name = False, ""
        for segment in segments(body):
            name, value = named(segment)
            if name not in names or (within_text and name == TEXT):
                if within_text:
                    values[TEXT] += b"&" + segment
                continue
            within_text = name == TEXT
            if values.setdefault(name, value).strip(_BLANK) != value.strip(_BLANK) and name != TEXT:
                raise Unreadable(f"the gateway's answer has two values of {name}", body)
        return cls(values, None if whole or body.endswith((b"\r", b"\n")) else name, body)

    def number(self, name: str) -> int:
        """A number that decides. Raises Unreadable where it is missing, malformed, or may be cut."""
        value = self.values.get(name, b"").strip(_BLANK)
        if name == self.unended or not _NUMBER.fullmatch(value):
            raise Unreadable(f"the gateway's answer has no {name} that can be relied on", self.body)
        return int(value)

    def code(self) -> int | None:
        """``errid``; None where it is missing or empty. Raises Unreadable where it is malformed or may be cut."""
        value = self.values.get(CODE, b"").strip(_BLANK)
        if not value:
            return None
        # No published code begins with another one or with 0: one of them has come to its end, cut or not.
        if not _NUMBER.fullmatch(value) or (self.unended == CODE and int(value) not in (0, *MEANINGS)):
            raise Unreadable(f"the gateway's answer has no {CODE} that can be relied on", self.body)
        return int(value)

    def phones(self, name: str) -> tuple[str, ...]:
        """A list of phones as the gateway wrote them. Raises Unreadable where its last may be cut."""
        if name == self.unended:
            raise Unreadable(f"the gateway's answer ends within {name}", self.body)
        listed = self.values.get(name, b"").decode("ascii", "replace").split(",")
        return tuple(phone for each in listed if (phone := each.strip()))

    def text(self, name: str, charset: str) -> str:
        """A text for people; empty where it is missing."""
        return read(self.values.get(name, b""), charset)


def segments(body: bytes) -> list[bytes]:
    """What stands between the ``&`` of an answer: no byte of a Chinese character can be one. Raises Unreadable."""
    said = body.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANK + b"?")
    if said.startswith(b"<"):
        raise Unreadable("the gateway answered with a page, not with fields", body)
    return said.split(b"&")


def named(segment: bytes) -> tuple[str, bytes]:
    """A segment's name in lower case, empty where it has none, and its value."""
    name, equals, value = segment.partition(b"=")
    return (name.strip(_BLANK).lower().decode("ascii", "replace") if equals else ""), value


def read(value: bytes, charset: str) -> str:
    """A value as text for people, on whatever charset the gateway decided.

    Where UTF-8 is set and fits, it is that; else bytes decide by the rule of protocol.md §8, since endpoints of one
    gateway differ in it. Values are literal unless they are ASCII with escapes that make sense.
    """
    plain = unescape(value) if is_escaped(value) else value
    decoded = decode(plain, Charset.UTF_8 if charset == "utf-8" else Charset.AUTO)
    return visible((decoded if decoded.certain else decode(plain)).text).strip()


def is_escaped(value: bytes) -> bool:
    """Whether a value is percent-encoded: in ASCII, with escapes for other characters, in one charset or the other."""
    if not value.isascii() or not _HIGH_ESCAPE.search(value):
        return False
    plain = unquote_to_bytes(value)
    return _fits(plain, "utf-8") or _fits(plain, "gb18030")


def _fits(plain: bytes, charset: str) -> bool:
    try:
        plain.decode(charset)
    except UnicodeDecodeError:
        return False
    return True
