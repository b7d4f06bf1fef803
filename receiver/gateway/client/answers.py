"""What the gateway answered, as values (protocol.md §2 to §5). Their reprs hold no phone and no text."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """A send of which the gateway took something: ``num`` ≥ 1, the count that it accepted.

    The lists are as the gateway wrote them, and may be empty or incomplete: a phone in neither of them, where ``num``
    is not the number of phones that were asked for, is in doubt. ``code`` is ``errid``, None where it was missing.
    """

    num: int
    accepted: tuple[str, ...] = field(repr=False)
    refused: tuple[str, ...] = field(repr=False)
    code: int | None
    message: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContentVerdict:
    """Whether a text may be sent. ``code`` 0, 6005 or 6022; ``reason`` names a forbidden word or the rule."""

    allowed: bool
    code: int
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left on the account, in the gateway's own unit, and the name that it puts before each text."""

    amount: int
    short_name: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of readsms.asp as it came. ``whole``: HTTP told its length, so that nothing is missing at its end."""

    body: bytes = field(repr=False)
    whole: bool = True


@dataclass(frozen=True, slots=True)
class PulledReply:
    """One reply, which the gateway has marked as read by handing it out.

    ``src`` and ``dst`` are text as written on the wire; ``raw`` is the text's bytes in the escapes that
    ``vocabulary.wire.read_text`` undoes, ready for ``Reading.delivery(src, dst, raw)``. ``sent_at`` is UTC, when the
    phone sent it, to the minute; None where the gateway's time can't be read.
    """

    gateway_id: str
    src: str = field(repr=False)
    dst: str
    raw: bytes = field(repr=False)
    sent_at: datetime | None
