"""A proof of one phone's opt-outs: what it consists of, and the way through the hash chain that it shows.

A proof is a JSON document (docs/proof.md). It shows the phone's own events whole, and between them and the ledger's
head only digests of other people's.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from .ledger import chained, skips_to

FORMAT, VERSION = "receiver-optout-proof", 1
Document = dict[str, Any]

# What a proof, and each part of it, says: these names, all of them, and no others.
MEMBERS = (
    "format", "version", "made_at", "phone", "state", "start", "events", "causes", "subscriptions", "head", "answer",
    "how_to_check", "fingerprint",
)  # fmt: skip
ENTRY = ("event", "previous", "skipped", "hash", "path")
EVENT = ("sequence", "type", "at", "actor", "phone", "message_id", "raw_sha256", "detail")
OPTOUT = ("since", "source", "reason", "actor", "message_id")
SUBSCRIPTION = ("service", "since", "cancelled_at", "cancelled_by")
# Of a cause: these two of what is no longer stored, else the bytes too, and what is known of them.
PURGED = ("from", "purged")
RAW = ("raw_text", "raw_base64", "raw_sha256")
MESSAGE = (
    "received_at", "origin", "kind", "src", "src_wire", "dst", "text", "charset", "charset_certain", "service", "peer",
    "gateway_id", "sent_at", "duplicate_of",
)  # fmt: skip
# And of a message that was decoded anew, under this name, what it was taken to say before and until when.
READINGS = "readings"
READING = ("at", "actor", "text", "charset", "charset_certain", "kind")
QUARANTINED = ("received_at", "reason", "detail", "peer", "unsubscribes", "replayed_at", "message_id")


def way(start: int, end: int) -> list[int]:
    """The events from ``start`` (left out) to ``end``, each made from the one before: O(log²) of them."""
    steps: list[int] = []
    at = end
    while at > start:
        steps.append(at)
        at = skips_to(at) if skips_to(at) >= start else at - 1
    return steps[::-1]


def path(
    start: int, end: int, digest_of: Callable[[int], str], hash_of: Callable[[int], str]
) -> list[dict[str, int | str]]:
    """The way from ``start`` to ``end`` with what it takes to work out each hash from the one before.

    That is the event's digest, and as ``other`` the hash that it covers besides the one before on this way.
    """
    steps: list[dict[str, int | str]] = []
    at = start
    for sequence in way(start, end):
        other = hash_of(sequence - 1) if skips_to(sequence) == at else hash_of(skips_to(sequence))
        steps.append({"sequence": sequence, "digest": digest_of(sequence), "other": other})
        at = sequence
    return steps


def follow(at: int, standing: str, steps: list[dict[str, Any]]) -> tuple[int, str]:
    """Where ``steps`` lead from event ``at`` with hash ``standing``: the last event and its hash.

    Raises ValueError where a step doesn't stand on the one before.
    """
    for step in steps:
        sequence, digest, other = step["sequence"], a_hash(step["digest"]), a_hash(step["other"])
        if set(step) != {"sequence", "digest", "other"} or type(sequence) is not int or sequence <= at:
            raise ValueError(f"a step after event {at} is none")
        if skips_to(sequence) == at:
            standing = chained(other, standing, digest)
        elif sequence - 1 == at:
            standing = chained(standing, other, digest)
        else:
            raise ValueError(f"event {sequence} doesn't stand on event {at}")
        at = sequence
    return at, standing


def canonical(value: Any) -> bytes:
    """The one form in which a JSON value is hashed, as the ledger's events are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def fingerprint(document: Document) -> str:
    """SHA-256 over all of a proof but its fingerprint: what a printed copy and its JSON have in common."""
    said = {name: value for name, value in document.items() if name != "fingerprint"}
    return sha256(canonical(said)).hexdigest()


def cause_of(event: dict[str, Any]) -> str | None:
    """The id of the message, or of the quarantined delivery, that made an event."""
    found = event["message_id"] or event["detail"].get("quarantine_id")
    return None if found is None else str(found)


def raw_text(raw: bytes) -> str:
    """Bytes as text that can be read: ASCII as it is, the others as ``\\xNN``."""
    return raw.decode("ascii", "backslashreplace")


def a_hash(text: Any) -> str:
    """``text``, which must be 64 hexadecimal digits: joined, longer and shorter ones could say the same otherwise."""
    if not isinstance(text, str) or len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError(f"{text!r} is no SHA-256")
    return text
