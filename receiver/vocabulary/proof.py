"""A proof of one phone's opt-outs: the way through the hash chain that it shows, and whether a proof holds.

A proof is a JSON document (docs/proof.md). It shows the phone's own events whole, and between them and the ledger's
head only digests of other people's. ``how_to_check`` in it holds a script that does what ``check`` does for hashes.
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from .charset import Charset
from .ledger import GENESIS, chained, skips_to
from .wire import read_text, visible

FORMAT, VERSION = "receiver-optout-proof", 1
_EVENT_FIELDS = {"sequence", "type", "at", "actor", "phone", "message_id", "raw_sha256", "detail"}
Document = dict[str, Any]


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
        sequence, digest, other = step["sequence"], _hash(step["digest"]), _hash(step["other"])
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


def check(document: Any, *, head: str | None = None) -> list[str]:
    """What is wrong with a proof; empty where it holds. ``head`` is the ledger's, as it was kept outside.

    Takes any value, and never raises.
    """
    if not isinstance(document, dict) or (document.get("format"), document.get("version")) != (FORMAT, VERSION):
        return [f"this is no {FORMAT} of version {VERSION}"]
    try:
        return list(_problems(document, head))
    except (KeyError, TypeError, ValueError, AttributeError, LookupError, RecursionError) as wrong:
        return [f"this proof is not made as a proof is: {type(wrong).__name__}: {wrong}"]


def _problems(document: Document, head: str | None) -> Iterator[str]:
    if document["fingerprint"] != fingerprint(document):
        yield "the fingerprint is not that of the document: something in it was changed"
    if head is not None and document["head"]["hash"] != head.strip().lower():
        yield "the head is not the one that you gave: this proof is of another moment, or of another ledger"
    if not document["events"]:
        yield "there are no events"
    yield from _chain_problems(document)
    yield from _story_problems(document)
    for identity, cause in document["causes"].items():
        if not cause["purged"]:
            yield from _cause_problems(f"message {identity}", cause)
    yield from _bond_problems(document)


def _chain_problems(document: Document) -> Iterator[str]:
    at, standing = follow(0, GENESIS, document["start"])
    for entry in document["events"]:
        event = entry["event"]
        sequence = event["sequence"]
        name = f"event {sequence}"
        if set(event) != _EVENT_FIELDS or type(sequence) is not int:
            yield f"{name} has not the fields of an event"
        if event["phone"] != document["phone"]:
            yield f"{name} is of another phone"
        own = chained(_hash(entry["previous"]), _hash(entry["skipped"]), sha256(canonical(event)).hexdigest())
        if own != entry["hash"]:
            yield f"{name} was changed: its hash is not that of what it says"
        if (at, standing) != (sequence, entry["hash"]):
            yield f"{name} is not where the path before it leads: an event was changed, left out or moved"
        at, standing = follow(sequence, own, entry["path"])
    if (at, standing) != (document["head"]["sequence"], document["head"]["hash"]):
        yield "the path from the last event doesn't lead to the head"


def _story_problems(document: Document) -> Iterator[str]:
    """Whether the events can have happened in this order, and lead to what is said to be in force."""
    since: str | None = None
    for entry in document["events"]:
        event = entry["event"]
        if event["type"] in ("opted_out", "lifted", "repeated"):
            if (event["type"] == "opted_out") != (since is None):
                yield f"event {event['sequence']} ({event['type']}) can't follow the ones before it: some are missing"
            since = event["at"] if event["type"] == "opted_out" else None if event["type"] == "lifted" else since
    state = document["state"]
    if state["opted_out"] is not (since is not None) or state["since"] != since:
        yield "what is said to be in force now is not what the events lead to"


def _cause_problems(name: str, cause: dict[str, Any]) -> Iterator[str]:
    try:
        raw = b64decode(cause["raw_base64"], validate=True)
    except binascii.Error:
        yield f"{name}: the raw bytes are no base64"
        return
    if cause["raw_sha256"] != sha256(raw).hexdigest():
        yield f"{name}: the raw bytes have another SHA-256"
    if cause["raw_text"] != raw_text(raw):
        yield f"{name}: the raw bytes are shown as another text"
    if cause["origin"] == "push":  # what was pulled or imported came in other escapes
        read = read_text(raw, Charset(cause["charset"])).text
        if cause["text"] != visible(read):
            yield f"{name}: its text is not that of its raw bytes in {cause['charset']}"


def _bond_problems(document: Document) -> Iterator[str]:
    """Whether each event and the message that it names belong together."""
    for entry in document["events"]:
        event = entry["event"]
        name = f"event {event['sequence']}"
        cause_id = cause_of(event)
        if cause_id is None:
            continue
        cause = document["causes"].get(cause_id)
        if cause is None:
            yield f"{name}: the message {cause_id} that it names is left out"
        elif event["raw_sha256"] is not None and not cause["purged"]:
            if cause["raw_sha256"] != event["raw_sha256"]:
                yield f"{name}: the message's raw bytes are not those that the ledger has the SHA-256 of"
            if cause["received_at"] != event["at"]:
                yield f"{name}: the message is said to have arrived at another time than the ledger says"


def cause_of(event: dict[str, Any]) -> str | None:
    """The id of the message, or of the quarantined delivery, that made an event."""
    found = event["message_id"] or event["detail"].get("quarantine_id")
    return None if found is None else str(found)


def raw_text(raw: bytes) -> str:
    """Bytes as text that can be read: ASCII as it is, the others as ``\\xNN``."""
    return raw.decode("ascii", "backslashreplace")


def _hash(text: Any) -> str:
    if not isinstance(text, str) or len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError(f"{text!r} is no SHA-256")
    return text
