"""Whether a proof holds, worked out anew from the document alone."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from receiver.vocabulary import Kind, proof
from receiver.vocabulary.charset import Charset
from receiver.vocabulary.ledger import GENESIS, chained
from receiver.vocabulary.proof import Document, a_hash, canonical, cause_of, fingerprint, follow, raw_text
from receiver.vocabulary.wire import read_text, visible

from .proof_script import TEXTS

# What is in force where nobody said stop, and where somebody did, by the event that says so.
_NO_STATE = {"opted_out": False, **dict.fromkeys(proof.OPTOUT)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is wrong with a proof, and what can't be told from it although nothing is."""

    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.problems


def check(document: Any, *, head: str | None = None) -> Outcome:
    """Whether a proof holds. ``head`` is the ledger's, as it was kept outside: ``HASH`` or ``SEQUENCE:HASH``.

    Takes any value, and never raises.
    """
    try:
        if _kind(document) != canonical([proof.FORMAT, proof.VERSION]):
            return Outcome((f"this is no {proof.FORMAT} of version {proof.VERSION}",))
        return Outcome(tuple(_problems(document, head)), tuple(_notes(document, head)))
    except (KeyError, TypeError, ValueError, AttributeError, LookupError, RecursionError) as wrong:
        return Outcome((f"this proof is not made as a proof is: {type(wrong).__name__}: {wrong}",))


def _kind(document: Any) -> bytes:
    return canonical([document.get("format"), document.get("version")] if isinstance(document, dict) else [])


def _problems(document: Document, head: str | None) -> Iterator[str]:
    if document["fingerprint"] != fingerprint(document):
        yield "the fingerprint is not that of the document: something in it was changed"
    yield from _pin_problems(document["head"], head)
    if not document["events"]:
        yield "there are no events"
    yield from _members("the proof", document, proof.MEMBERS)
    for row in document["subscriptions"]:
        yield from _members("a subscription", row, proof.SUBSCRIPTION)
    yield from _chain_problems(document)
    yield from _story_problems(document)
    named = _named(document)
    for identity, cause in document["causes"].items():
        if identity not in named:
            yield f"message {identity} is one that no event names"
        else:
            yield from _cause_problems(_called(identity, named[identity]), cause, named[identity])
    yield from _bond_problems(document)


def _pin_problems(head: dict[str, Any], pinned: str | None) -> Iterator[str]:
    if pinned is None:
        return
    sequence, _, pinned_hash = pinned.strip().lower().rpartition(":")
    if head["hash"] != pinned_hash:
        yield "the head is not the one that you gave: this proof is of another moment, or of another ledger"
    elif sequence and sequence != str(head["sequence"]):
        yield f"the head has the hash that you gave, but is said to be event {head['sequence']}, not {sequence}"


def _chain_problems(document: Document) -> Iterator[str]:
    at, standing = follow(0, GENESIS, document["start"])
    for entry in document["events"]:
        event = entry["event"]
        sequence = event["sequence"]
        name = f"event {sequence}"
        yield from _members(f"the entry of {name}", entry, proof.ENTRY)
        yield from _members(name, event, proof.EVENT)
        if type(sequence) is not int:
            yield f"{name} has no number"
        if event["phone"] != document["phone"]:
            yield f"{name} is of another phone"
        own = chained(a_hash(entry["previous"]), a_hash(entry["skipped"]), sha256(canonical(event)).hexdigest())
        if own != entry["hash"]:
            yield f"{name} was changed: its hash is not that of what it says"
        if (at, standing) != (sequence, entry["hash"]):
            yield f"{name} is not where the path before it leads: an event was changed, left out or moved"
        at, standing = follow(sequence, own, entry["path"])
    if canonical(document["head"]) != canonical({"sequence": at, "hash": standing}):
        yield "the path from the last event doesn't lead to the head"


def _story_problems(document: Document) -> Iterator[str]:
    """Whether the events can have happened in this order, and lead to what is said to be in force."""
    in_force: dict[str, Any] | None = None
    for entry in document["events"]:
        event = entry["event"]
        if event["type"] in ("opted_out", "lifted", "repeated"):
            if (event["type"] == "opted_out") != (in_force is None):
                yield f"event {event['sequence']} ({event['type']}) can't follow the ones before it: some are missing"
            in_force = event if event["type"] == "opted_out" else None if event["type"] == "lifted" else in_force
    if canonical(document["state"]) != canonical(_NO_STATE if in_force is None else _state_by(in_force)):
        yield "what is said to be in force now is not what the events lead to"


def _state_by(event: dict[str, Any]) -> dict[str, Any]:
    """What is in force by an ``opted_out`` event."""
    return {
        "opted_out": True,
        "since": event["at"],
        "actor": event["actor"],
        "message_id": event["message_id"],
        "source": event["detail"].get("source"),
        "reason": event["detail"].get("reason"),
    }


def _cause_problems(name: str, cause: dict[str, Any], kept_in: str) -> Iterator[str]:
    if cause["from"] != kept_in:
        yield f"{name} is said to be from {cause['from']}, and its event says {kept_in}"
    if cause["purged"] is True:
        yield from _members(name, cause, proof.PURGED)
        return
    if cause["purged"] is not False:
        yield f"{name} is neither purged nor not"
    is_message = kept_in == "messages"
    read = proof.MESSAGE if is_message else proof.QUARANTINED
    earlier = cause.get(proof.READINGS) if is_message else None
    yield from _members(name, cause, (*proof.PURGED, *proof.RAW, *read, *([proof.READINGS] if earlier else [])))
    try:
        raw = b64decode(cause["raw_base64"], validate=True)
    except binascii.Error:
        raw = b""
    if cause["raw_base64"] != b64encode(raw).decode("ascii"):
        yield f"{name}: the raw bytes are no base64"
        return
    if cause["raw_sha256"] != sha256(raw).hexdigest():
        yield f"{name}: the raw bytes have another SHA-256"
    if cause["raw_text"] != raw_text(raw):
        yield f"{name}: the raw bytes are shown as another text"
    if is_message:
        yield from _reading_problems(name, cause, raw)
        for reading in earlier or ():
            yield from _members(f"{name}: an earlier reading", reading, proof.READING)
            yield from _reading_problems(f"{name}, as it was read until {reading['at']}", reading, raw)


def _reading_problems(name: str, reading: dict[str, Any], raw: bytes) -> Iterator[str]:
    charset = Charset(reading["charset"])
    if charset is Charset.AUTO or reading["text"] != visible(read_text(raw, charset).text):
        yield f"{name}: its text is not that of its raw bytes in {charset}"


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
            if event["message_id"] is not None and Kind.UNSUBSCRIBE not in _kinds(cause):
                yield f"{name}: the message that it names was never read as an unsubscribe"


def _kinds(cause: dict[str, Any]) -> list[Any]:
    """Everything that a message was taken for, the present reading first."""
    return [reading["kind"] for reading in (cause, *cause.get(proof.READINGS, ()))]


def _notes(document: Document, head: str | None) -> Iterator[str]:
    for identity, kept_in in _named(document).items():
        cause = document["causes"].get(identity, {})
        if cause.get("purged"):
            yield f"{_called(identity, kept_in)} is not in this proof: only the SHA-256 of its raw bytes"
        elif proof.READINGS in cause and cause["kind"] != Kind.UNSUBSCRIBE:
            yield (
                f"{_called(identity, kept_in)} was an unsubscribe as it was read when it came, and is none in another "
                "charset: the opt-out stands until a person lifts it"
            )
    for name, text in TEXTS.items():
        if document[name] != text:
            yield f"{name} is not the text that this version of the receiver writes: it was not checked"
    if head is None or ":" not in head:
        sequence = document["head"]["sequence"]
        yield f"that the head is event {sequence} is what the path says, and no hash holds it: compare it with yours"


def _named(document: Document) -> dict[str, str]:
    """The causes that events name, and where each is kept."""
    events = [entry["event"] for entry in document["events"]]
    return {
        cause: "messages" if event["message_id"] is not None else "quarantine"
        for event in events
        if (cause := cause_of(event)) is not None
    }


def _called(identity: str, kept_in: str) -> str:
    return f"{'message' if kept_in == 'messages' else 'quarantined delivery'} {identity}"


def _members(name: str, value: Any, expected: Iterable[str]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{name} is no JSON object"
    elif others := value.keys() ^ set(expected):
        yield f"{name} lacks a member, or has one too many: {', '.join(sorted(others))}"
