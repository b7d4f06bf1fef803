"""The ledger's hash chain: what an event says, its canonical form, and the hash that binds it to all before it.

An event's hash is SHA-256 over the previous hash (64 hexadecimal digits; 64 zeros before the first event) followed
by the event's canonical form: its fields as JSON, keys sorted, no white space, non-ASCII escaped, UTF-8.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

GENESIS = "0" * 64


class EventType(StrEnum):
    OPTED_OUT = "opted_out"
    REPEATED = "repeated"
    SERVICE_CANCELLED = "service_cancelled"


@dataclass(frozen=True, slots=True)
class Event:
    """A change to an opt-out, before it has its place in the ledger."""

    type: EventType
    at: datetime
    actor: str
    phone: str
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


def chained(previous: str, sequence: int, event: Event) -> str:
    """The event's hash, 64 hexadecimal digits, given the hash of the event before it."""
    return sha256(previous.encode() + canonical(sequence, event)).hexdigest()


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds always written, so that one moment has one form."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
