"""The ledger's hash chain: what an event says, its canonical form, and the hash that binds it to all before it.

An event's digest is SHA-256 over its canonical form: its fields as JSON, keys sorted, no white space, non-ASCII
escaped. An event's hash is SHA-256 over three times 64 hexadecimal digits: the hash of the event before it, the hash of
the event that it skips back to (``skips_to``), and its digest. Before the first event stand 64 zeros.

The hash before it makes the chain: nothing can be edited, left out, inserted or moved without every later hash
changing. The skip makes a way of few steps from any event to the head, which shows only digests of other people's
events.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

GENESIS = "0" * 64
# A head as people keep it: its hash, with its number before it where that was kept too.
KEPT_HEAD = re.compile("(?:(?:0|[1-9][0-9]*):)?[0-9a-f]{64}")


class EventType(StrEnum):
    OPTED_OUT = "opted_out"
    REPEATED = "repeated"
    SERVICE_CANCELLED = "service_cancelled"
    LIFTED = "lifted"
    SEND_BLOCKED = "send_blocked"
    IMPORTED = "imported"
    EXPORTED = "exported"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Event:
    """A change to an opt-out, or another act on the register (``phone`` is None), before it has its place."""

    type: EventType
    at: datetime
    actor: str
    phone: str | None
    message_id: UUID | None = None
    raw_sha256: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def canonical(sequence: int, event: Event) -> bytes:
    """The bytes that the event's hash covers."""
    fields = {
        "sequence": sequence,
        "type": event.type,
        "at": timestamp(event.at),
        "actor": event.actor,
        "phone": event.phone,
        "message_id": None if event.message_id is None else str(event.message_id),
        "raw_sha256": event.raw_sha256,
        "detail": event.detail,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def digest(sequence: int, event: Event) -> str:
    """SHA-256 of the event's canonical form, 64 hexadecimal digits."""
    return sha256(canonical(sequence, event)).hexdigest()


def skips_to(sequence: int) -> int:
    """The event that a hash covers besides the one before it: the number with its lowest binary one cleared."""
    return sequence & (sequence - 1)


def chained(previous: str, skipped: str, event_digest: str) -> str:
    """An event's hash, given the hash of the event before it, of the event it skips to, and its own digest."""
    return sha256(f"{previous}{skipped}{event_digest}".encode("ascii")).hexdigest()


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds always written, so that one moment has one form."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
