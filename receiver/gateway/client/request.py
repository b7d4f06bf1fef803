"""What may be asked of the gateway, and how it is written: everything it would cut, misread or refuse stops here."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from .errors import Unsendable
from .reply import CHINA

FEWER_THAN_PHONES = 100
FEWER_THAN_EXTENSION_DIGITS = 9
LONGEST_TEXT, LONGEST_PHS_TEXT, LONGEST_LONG_TEXT, LONGEST_CONTENT = 60, 40, 240, 540
_LINE_SIGNS = "\n\r\t"
# Characters that take no room: control, format (zero-width space), and what is no character.
_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs")
_SAID = {"msg": "the text", "content": "the text", "name": "the login's name"}
_SECRET = {"pwd": "the password", "newpwd": "the new password"}


@dataclass(frozen=True, slots=True)
class Form:
    """Parameters as they go on the wire, of a query or a form. Its repr shows none: one is the password."""

    wire: bytes = field(repr=False)


def form(parameters: Sequence[tuple[str, str]], charset: str) -> Form:
    """The parameters, percent-encoded in ``charset``. Raises Unsendable for what the charset can't carry."""
    return Form("&".join(f"{name}={_escaped(name, value, charset)}" for name, value in parameters).encode("ascii"))


def send_fields(
    phones: Sequence[str], text: str, now: datetime, *, at: datetime | None, sender: str | None, long: bool
) -> list[tuple[str, str]]:
    """What gsend.asp is asked with (§2). Raises Unsendable."""
    fields = [("dst", phones_field(phones)), ("msg", text_field(text, phones, long=long))]
    if at is not None:
        fields.append(("time", time_field(at, now)))
    if sender is not None:
        fields.append(("sender", sender_field(sender)))
    if long:
        fields.append(("txt", "ccdx"))
    return fields


def phones_field(phones: Sequence[str]) -> str:
    """``dst``: the phones as they are given, where they may go in one call (§2). Raises Unsendable."""
    if not phones:
        raise Unsendable("there is no phone to send to: name one at least")
    if len(phones) >= FEWER_THAN_PHONES:
        raise Unsendable(f"{len(phones)} phones are too many for one call: send to {FEWER_THAN_PHONES - 1} at a time")
    for place, phone in enumerate(phones, 1):
        if not (phone.isascii() and phone.isdigit()):
            raise Unsendable(f"phone {place} of {len(phones)} is none as the gateway takes them: write digits alone")
    if len(set(phones)) < len(phones):
        raise Unsendable("a phone is named twice: name each once")
    if len({_is_phs(phone) for phone in phones}) > 1:
        raise Unsendable("mobiles and PHS numbers can't go in one call: send to each kind in a call of its own")
    return ",".join(phones)


def check_characters(text: str, charset: str) -> None:
    """Raise Unsendable for a text that shows nothing, or that holds what can't be sent."""
    _check_seen(text)
    for char in text:
        _escaped_char("msg", char, charset)


def text_field(text: str, phones: Sequence[str], *, long: bool) -> str:
    """``msg``: the text, where the gateway would not cut it off (§2). Raises Unsendable."""
    _check_seen(text)
    if long:
        return _bounded("the text", text, LONGEST_LONG_TEXT, "shorten it")
    longest = LONGEST_PHS_TEXT if _is_phs(phones[0]) else LONGEST_TEXT
    return _bounded("the text", text, longest, f"shorten it, or send up to {LONGEST_LONG_TEXT} as a long SMS")


def content_field(text: str) -> str:
    """``content``, to be checked (§3). Raises Unsendable."""
    return _bounded("the text", text, LONGEST_CONTENT, "check it in parts")


def time_field(at: datetime, now: datetime) -> str:
    """``time``: China's, in the minute that ``at`` is in or, with seconds, the next: never sooner than asked.

    Raises Unsendable without a zone, and for what is past: the gateway would send at once (§2).
    """
    if at.utcoffset() is None:
        raise Unsendable("the time to send at has no zone: write one, like 2030-01-31T09:00+08:00")
    if at < now:
        raise Unsendable("the time to send at is past: the gateway would send at once; name a later one, or none")
    try:
        minute = (at + timedelta(minutes=1) - timedelta(microseconds=1)).astimezone(CHINA)
    except OverflowError:
        raise Unsendable("the time to send at is too far away: name one before the year 9999") from None
    return minute.strftime("%Y%m%d%H%M")


def sender_field(sender: str) -> str:
    """``sender``: extension digits (§2). Raises Unsendable."""
    if not (sender.isascii() and sender.isdigit()) or len(sender) >= FEWER_THAN_EXTENSION_DIGITS:
        raise Unsendable(
            f"the sender's extension must be 1 to {FEWER_THAN_EXTENSION_DIGITS - 1} digits, and nothing else"
        )
    return sender


def new_password_field(new: str) -> str:
    """``newpwd`` (§6). Raises Unsendable, which does not show it."""
    if not 4 < len(new) < 20:
        raise Unsendable(f"the new password has {len(new)} characters: choose 5 to 19")
    if not all("!" <= char <= "~" for char in new):
        raise Unsendable("the new password has other signs than ASCII letters, digits and punctuation: leave them out")
    return new


def length(text: str) -> int:
    """The characters of a text as classic ASP counts them: UTF-16 units, of which an emoji takes two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _check_seen(text: str) -> None:
    if all(char.isspace() or unicodedata.category(char) in _UNSEEN for char in text):
        raise Unsendable("the text is empty, or nothing in it can be seen: write one")


def _is_phs(phone: str) -> bool:
    return phone.startswith("0")  # an area code does; no mobile's national form


def _bounded(what: str, text: str, longest: int, way_out: str) -> str:
    if not text:
        raise Unsendable(f"{what} is empty: write one")
    if length(text) > longest:
        raise Unsendable(f"{what} has {length(text)} characters, {longest} are allowed: {way_out}")
    return text


def _escaped(name: str, value: str, charset: str) -> str:
    return "".join(_escaped_char(name, char, charset) for char in value)


def _escaped_char(name: str, char: str, charset: str) -> str:
    if unicodedata.category(char) == "Cc" and char not in _LINE_SIGNS:
        raise Unsendable(f"{_holder(name, char)}, a control character: leave it out", char)
    if char.isascii():
        return quote(char, safe=",")
    try:
        encoded = char.encode(charset)
    except UnicodeEncodeError:
        raise Unsendable(f"{_holder(name, char)}, which {charset} can't carry: replace it", char) from None
    # A GBK character's second byte may be an ASCII letter: escaped too, it can't be parted from the first.
    return "".join(f"%{byte:02X}" for byte in encoded)


def _holder(name: str, char: str) -> str:
    if name in _SECRET:
        return f"{_SECRET[name]} holds a character"
    return f"{_SAID.get(name, name)} holds {char!r} (U+{ord(char):04X})"
