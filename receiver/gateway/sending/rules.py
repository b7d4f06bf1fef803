"""What the gateway allows of a send (protocol.md §2), checked before anything is stored: nothing is cut silently."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from receiver.gateway.client import Unsendable
from receiver.gateway.client.request import (
    FEWER_THAN_EXTENSION_DIGITS,
    LONGEST_LONG_TEXT,
    LONGEST_PHS_TEXT,
    LONGEST_TEXT,
    check_characters,
    length,
)

# Characters that the gateway does not cut off; long SMS (txt=ccdx) go to mobiles.
SHORT, SHORT_PHS, LONG = LONGEST_TEXT, LONGEST_PHS_TEXT, LONGEST_LONG_TEXT
# A long text arrives in parts of 67 characters, the six bytes that join them taken off 140.
_PART = 67
_LONGEST_SENDER, _LONGEST_NUMBER = FEWER_THAN_EXTENSION_DIGITS - 1, 16
_LEAST_AHEAD, _MOST_AHEAD = timedelta(minutes=1), timedelta(days=366)
_MINUTE = timedelta(minutes=1)

Clock = Callable[[], datetime]


class Rule(StrEnum):
    """What a send broke, for who says it in other words than the message's."""

    TEXT_UNSEEN = "text-unseen"
    TEXT_CHARACTER = "text-character"
    TEXT_LENGTH = "text-length"
    LONG_TO_PHS = "long-to-phs"
    SENDER_DIGITS = "sender-digits"
    SENDER_LENGTH = "sender-length"
    TIME_PAST = "time-past"
    TIME_FAR = "time-far"
    TIME_NEEDED = "time-needed"
    NOBODY = "nobody"
    TOO_MANY = "too-many"
    PHONES = "phones"
    OTHER_SEND = "other-send"


class Inadmissible(Exception):
    """A send that can't be made so; the message says what is wrong and the way out. Nothing was stored or sent.

    ``rule`` and ``values`` say the same to programs.
    """

    def __init__(self, message: str, rule: Rule | None = None, **values: Any) -> None:
        super().__init__(message)
        self.rule, self.values = rule, values


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def check_text(text: str, *, any_phs: bool, long: bool, charset: str) -> None:
    """Raise Inadmissible where the gateway would refuse or cut ``text``, or ``charset`` can't carry it."""
    try:
        # The client's own rule: what is queued must be sendable.
        check_characters(text, charset)
    except Unsendable as wrong:
        if wrong.char is None:
            raise Inadmissible(str(wrong), Rule.TEXT_UNSEEN) from None
        raise Inadmissible(str(wrong), Rule.TEXT_CHARACTER, char=wrong.char) from None
    _check_length(length(text), any_phs=any_phs, long=long)


def parts(count: int) -> int:
    """How many SMS a text of ``count`` characters is to one phone; above 60 about so many."""
    return 1 if count <= SHORT else -(-count // _PART)


def check_sender(sender: str | None, base: str | None = None) -> None:
    """Raise Inadmissible where the gateway would refuse the extension digits.

    ``base`` is the service number that they extend, where it is known: the whole has fewer than 17 digits.
    """
    for name, digits in (("--sender", sender), ("--base", base)):
        if digits is not None and not (digits.isascii() and digits.isdigit()):
            raise Inadmissible(f"{name} takes digits only, like 01", Rule.SENDER_DIGITS)
    if sender is not None and len(sender) > _LONGEST_SENDER:
        raise Inadmissible(
            f"--sender has {len(sender)} digits: the gateway takes at most {_LONGEST_SENDER}",
            Rule.SENDER_LENGTH,
            longest=_LONGEST_SENDER,
        )
    whole = len(sender or "") + len(base or "")
    if base is not None and whole > _LONGEST_NUMBER:
        raise Inadmissible(
            f"the service number would have {whole} digits: the gateway takes at most {_LONGEST_NUMBER}, "
            f"so --sender may have {max(0, _LONGEST_NUMBER - len(base))}"
        )


def gateway_minute(at: datetime, moment: datetime) -> datetime:
    """The minute for which the gateway is asked to keep a send: ``at`` rounded up. Raises Inadmissible.

    What is past, malformed or without a zone it would send at once.
    """
    if at.tzinfo is None:
        raise Inadmissible("the time names no zone: write it like 2026-06-03T17:00+08:00")
    minute = at.astimezone(UTC).replace(second=0, microsecond=0)
    if minute < at:
        minute += _MINUTE
    if not is_ahead(minute, moment):
        raise Inadmissible(
            f"{at.isoformat(timespec='minutes')} is past or less than a minute ahead, and the gateway would send at "
            "once: choose a later time, or leave --at away",
            Rule.TIME_PAST,
        )
    if minute - moment > _MOST_AHEAD:
        raise Inadmissible(
            f"{at.isoformat(timespec='minutes')} is more than a year ahead: choose an earlier time", Rule.TIME_FAR
        )
    return minute


def is_ahead(minute: datetime, moment: datetime) -> bool:
    """Whether the gateway would still keep a send for ``minute``, and not send it at once."""
    return minute - moment >= _LEAST_AHEAD


def _check_length(count: int, *, any_phs: bool, long: bool) -> None:
    if long and any_phs:
        # That long SMS reach PHS is nowhere said, and what does not fit would be cut off there.
        raise Inadmissible(
            "long SMS go to mobiles only, and there are numbers with an area code (PHS) among the recipients: "
            f"send to those apart, in at most {SHORT_PHS} characters",
            Rule.LONG_TO_PHS,
            allowed=SHORT_PHS,
        )
    allowed = LONG if long else SHORT_PHS if any_phs else SHORT
    if count <= allowed:
        return
    why = " with PHS numbers among the recipients" if any_phs else " in a long SMS" if long else ""
    way_out = "shorten it"
    if not long and count <= LONG:
        if not any_phs:
            way_out += ", or send it as a long SMS with --long"
        elif count <= SHORT:
            way_out += ", or send to the PHS numbers apart: mobiles take it as it is"
        else:
            way_out += ", or send to the PHS numbers apart: mobiles take it with --long"
    raise Inadmissible(
        f"the text has {count} characters, and at most {allowed} are allowed{why}: {way_out}",
        Rule.TEXT_LENGTH,
        count=count,
        allowed=allowed,
    )
