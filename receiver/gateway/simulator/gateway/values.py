"""What the simulated gateway keeps: its customers' accounts, and the record of what it did, as values."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

# The gateway's local time (protocol.md §2): China has no summer time.
CHINA = timezone(timedelta(hours=8), "UTC+8")


class Page(StrEnum):
    """The gateway's pages (protocol.md §2–§6)."""

    SEND = "gsend"
    CHECK = "checkcontent"
    FEE = "getfee"
    READ = "readsms"
    PASSWORD = "cpwd"


@dataclass(frozen=True, slots=True)
class Account:
    """An enterprise's account. ``balance`` is what is left, in texts."""

    name: str
    password: str = field(repr=False)
    balance: int = 10_000
    short_name: str = "演示"
    service_number: str = "10690000"
    """What people reply to; a sender's digits come after it."""
    refusal: int | None = None
    """A code that every call is answered with: 6002 a stopped account, 6018 an expired trial, and so on."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where it may call from; from anywhere without any."""
    long_texts: bool = True
    extensions: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """A text that a phone sees: one for each phone of a call, and two for a phone that a call names twice."""

    at: datetime
    """When the phone sees it: at once, or when its time comes."""
    phone: str
    text: str
    sender: str
    """The number it comes from: the account's service number and the extension's digits."""
    scheduled: datetime | None
    account: str
    call: int
    """The number of the call, as in ``Call.number``."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A reply that a phone sent, ``raw`` being its text in the gateway's charset."""

    gateway_id: str
    at: datetime
    src: str
    dst: str
    raw: bytes
    account: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call that came in. ``fault`` is what was done to it; ``code`` is what was, or would have been, answered."""

    number: int
    at: datetime
    page: Page
    method: str
    account: str
    carried_out: bool
    """Whether the gateway did what it was asked, or would have but for its rules; False: the fault came before."""
    code: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A readsms.asp call that came too soon after the last one's answer (protocol.md §5)."""

    at: datetime
    account: str
    seconds: float
    """Since that answer."""
