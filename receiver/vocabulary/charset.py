"""Which charset a text came in: decided from its bytes alone, and never silently guessed (protocol.md §8)."""

import codecs
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

# The one byte that Windows' code page 936 has and Python's codecs lack: the euro sign.
_EURO_BYTE = 0x80


class Charset(StrEnum):
    """The setting ``CHARSET``, and (without ``AUTO``) what a text was decoded with."""

    AUTO = "auto"
    UTF_8 = "utf-8"
    GB18030 = "gb18030"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text with the charset that gave it.

    ``certain`` is false where another reading of the same bytes is plausible, or where bytes had to be replaced.
    """

    text: str
    charset: Charset
    certain: bool


def decode(raw: bytes, charset: Charset = Charset.AUTO) -> Decoded:
    """The text of ``raw``, by the rule of protocol.md §8, or as the installation fixed it.

    Never raises: where nothing fits, the text is UTF-8 with U+FFFD for what could not be read, and not certain.
    """
    if raw.isascii():
        return Decoded(raw.decode("ascii"), Charset.GB18030 if charset is Charset.GB18030 else Charset.UTF_8, True)
    if charset is Charset.UTF_8:
        return _utf_8(raw)
    if charset is Charset.GB18030:
        return _gb18030(raw)
    return _decide(raw)


def _decide(raw: bytes) -> Decoded:
    utf_8 = _strict(raw, Charset.UTF_8)
    if utf_8 is not None and not _confined_to_two_byte_letters(utf_8) and not _in_an_empty_plane(utf_8):
        return Decoded(utf_8, Charset.UTF_8, certain=not _has_unassigned(utf_8))
    gb18030 = _strict(raw, Charset.GB18030)
    if gb18030 is not None:
        return Decoded(gb18030, Charset.GB18030, certain=utf_8 is None)
    return Decoded(raw.decode("utf-8", "replace"), Charset.UTF_8, certain=False)


def _confined_to_two_byte_letters(text: str) -> bool:
    # Chinese in GBK that happens to be valid UTF-8 reads as Latin, Greek, Cyrillic … Arabic letters and no others.
    return all(char < "\u0800" for char in text)


def _in_an_empty_plane(text: str) -> bool:
    # Two of the rarer Chinese characters in GBK can be one valid four-byte sequence (瘠薄 蟾宫): nearly always of the
    # planes 4 to 16, where nobody writes. Plane 14 holds the tags that emoji flags are made of.
    return any(char >= "\U00040000" and not "\U000e0000" <= char < "\U000e1000" for char in text)


def _has_unassigned(text: str) -> bool:
    # The rest of them (甬江), or an emoji newer than this Python: no way to tell.
    return any(unicodedata.category(char) == "Cn" for char in text)


def _utf_8(raw: bytes) -> Decoded:
    text = _strict(raw, Charset.UTF_8)
    return Decoded(raw.decode("utf-8", "replace") if text is None else text, Charset.UTF_8, certain=text is not None)


def _gb18030(raw: bytes) -> Decoded:
    text = _strict(raw, Charset.GB18030)
    return Decoded(raw.decode("gb18030", "replace") if text is None else text, Charset.GB18030, text is not None)


def _strict(raw: bytes, charset: Charset) -> str | None:
    try:
        return raw.decode(charset, "receiver.euro" if charset is Charset.GB18030 else "strict")
    except UnicodeDecodeError:
        return None


def _euro_or_error(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] == _EURO_BYTE:
        return "€", error.start + 1
    raise error


codecs.register_error("receiver.euro", _euro_or_error)
