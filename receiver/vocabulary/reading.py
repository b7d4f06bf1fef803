"""How an installation reads a reply: whose phone it is from, what its bytes say, and whether it says stop."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from .charset import Charset
from .identity import phone_identity
from .reply import Delivery, Kind
from .unsubscribe import is_unsubscribe, keyword_set
from .wire import read_text, unescape, visible

# Bytes of an escaped text that may still be a keyword with what is trimmed around it.
_LONGEST_KEYWORD = 256


@dataclass(frozen=True, slots=True)
class Reading:
    """How this installation reads what comes: settings CHARSET, DEFAULT_REGION, UNSUBSCRIBE_KEYWORDS."""

    charset: Charset = Charset.AUTO
    region: str = "CN"
    keywords: frozenset[str] = field(default_factory=keyword_set)
    has_token: bool = False
    """Whether CALLBACK_TOKEN is set: only then is ``token`` a parameter, and not part of a text."""

    def delivery(self, src_wire: str, dst: str, raw: bytes) -> Delivery:
        """The reply that ``raw``, a text in its escapes, is from ``src_wire`` to ``dst``. Never raises."""
        decoded = read_text(raw, self.charset)
        return Delivery(
            src=phone_identity(src_wire, self.region) or visible(src_wire).strip(),
            src_wire=visible(src_wire),
            dst=visible(dst).strip(),
            raw=raw,
            text=visible(decoded.text),
            charset=decoded.charset,
            charset_certain=decoded.certain,
            kind=Kind.UNSUBSCRIBE if self._unsubscribes(raw, decoded.text) else Kind.REPLY,
        )

    def unsubscribes(self, raw: bytes) -> bool:
        """Whether a text in its escapes says stop, in whatever way its bytes can be read (protocol.md §8)."""
        return self._unsubscribes(raw, read_text(raw, self.charset).text)

    def _unsubscribes(self, raw: bytes, text: str) -> bool:
        return is_unsubscribe(text, self.keywords) or any(
            is_unsubscribe(other, self.keywords) for other in _other_readings(raw, self.charset)
        )


def _other_readings(raw: bytes, charset: Charset) -> Iterator[str]:
    """What the bytes may also have meant, where a text as it is written must not hide an unsubscribe."""
    before, ampersand, after = raw.partition(b"&")
    if ampersand and all(b"=" in part for part in after.split(b"&") if part):
        # What follows may be parameters that we don't know, or the sign of a careless URL.
        yield read_text(before, charset).text
    if charset is not Charset.AUTO and len(raw) <= _LONGEST_KEYWORD:
        # A gateway that does not keep to the charset that was fixed for it.
        yield read_text(raw, Charset.AUTO).text
    if raw.endswith(b"%00"):
        with suppress(UnicodeDecodeError):
            yield unescape(raw).decode("utf-16-le")
    if raw[:3].upper() in (b"%00", b"%FF") or raw[:1] in (b"\x00", b"\xff"):
        # UTF-16, as some gateways (Kannel) hand on an SMS in UCS-2: no text in another charset begins so.
        with suppress(UnicodeDecodeError):
            yield unescape(raw).decode("utf-16-be")
