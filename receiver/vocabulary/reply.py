"""A reply (MO) on its way through: as it was delivered, as it is stored, or why it can't be."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from .charset import Charset


class Kind(StrEnum):
    REPLY = "reply"
    UNSUBSCRIBE = "unsubscribe"


class Origin(StrEnum):
    """How a reply reached us: pushed to recv.asp, pulled from readsms.asp, or imported."""

    PUSH = "push"
    POLL = "poll"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one request to recv.asp said (protocol.md §1).

    ``raw`` is the value of ``msg`` as it was on the wire, escapes included: whatever was decided about its text can
    be decided again. ``src`` is the sender's E.164 identity, or the sender as it came where that is no phone.
    """

    src: str
    src_wire: str
    dst: str
    raw: bytes
    text: str
    charset: Charset
    charset_certain: bool
    kind: Kind


class Reason(StrEnum):
    """Why a delivery was not accepted as a reply; the code that quarantine lists and filters by."""

    MISSING_SRC = "missing-src"
    MISSING_DST = "missing-dst"
    MISSING_MSG = "missing-msg"
    CONFLICT = "conflicting-parameters"
    UNUSABLE_SRC = "unusable-src"
    UNUSABLE_DST = "unusable-dst"
    METHOD = "method"
    CONTENT_TYPE = "content-type"
    MALFORMED = "malformed-request"
    TOO_LARGE = "too-large"
    SOURCE = "source-not-allowed"
    TOKEN = "wrong-token"
    STORAGE = "refused-by-database"
    UNREADABLE = "unreadable-answer"


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """A delivery that is not accepted: kept in quarantine with its raw bytes.

    ``unsubscribes`` is the identity of the phone whose unsubscribe this is in spite of all, and is honoured.
    """

    reason: Reason
    detail: str
    raw: bytes
    unsubscribes: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A delivery with what makes it ours: its id, when and how it came.

    A pulled one has its number at the gateway, when the phone sent it, to the minute (protocol.md §5), and the account
    that it was pulled with.
    """

    id: UUID
    received_at: datetime
    origin: Origin
    peer: str | None
    delivery: Delivery
    gateway_id: str | None = None
    sent_at: datetime | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A delivery for quarantine with its id, when and from where it came."""

    id: UUID
    received_at: datetime
    peer: str | None
    undeliverable: Undeliverable
