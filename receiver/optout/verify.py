"""Whether the ledger is what it was: its first event that was edited, removed, inserted or moved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from receiver.store import ledger
from receiver.store.store import Store
from receiver.vocabulary import mask
from receiver.vocabulary.ledger import GENESIS, Event, EventType, chained, digest, skips_to

# Disagreements between register and ledger that are named.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong first: the event's number, and in words what happened to it."""

    sequence: int
    problem: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome: how many events were checked, the head, and what is wrong."""

    events: int
    head: str
    finding: Finding | None
    disagreements: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.finding is None and not self.disagreements


def verify(
    store: Store, *, pinned: str | None = None, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> Verification:
    """Work every hash out anew, and hold the register against the ledger.

    ``pinned`` is a head's hash that was kept outside: it must be on the chain, else a tail that held it was cut off.
    Memory grows with the logarithm of the ledger. Raises StoreError.
    """
    with store.snapshot() as connection:
        total = ledger.count(connection)
        sequence, previous = 0, GENESIS
        hashes = {0: GENESIS}
        pin_seen = pinned is None or pinned == GENESIS
        for row in ledger.stream(connection):
            finding = _wrong(row, sequence, previous, hashes)
            if finding is not None:
                return Verification(sequence, previous, finding)
            sequence, previous = row["sequence"], row["hash"]
            hashes[sequence] = previous
            _forget(hashes, sequence)
            pin_seen = pin_seen or previous == pinned
            if sequence % 1_000 == 0:
                progress(sequence, total)
        progress(sequence, total)
        finding = _wrong_end(ledger.head(connection), sequence, previous, pin_seen)
        if finding is not None:
            return Verification(sequence, previous, finding)
        return Verification(sequence, previous, None, _disagreements(ledger.disagreements(connection, _NAMED)))


def _wrong(row: Mapping[str, Any], last: int, previous: str, hashes: dict[int, str]) -> Finding | None:
    sequence = row["sequence"]
    if sequence != last + 1:
        return Finding(last + 1, "was removed: its number is missing")
    if row["previous"] != previous:
        return Finding(sequence, "was inserted or moved: it does not follow the event before it")
    if row["hash"] != chained(previous, hashes[skips_to(sequence)], digest(sequence, event_of(row))):
        return Finding(sequence, "was edited: its hash is not that of what it says")
    return None


def _wrong_end(head: tuple[int, str], sequence: int, previous: str, pin_seen: bool) -> Finding | None:
    if head[0] > sequence:
        return Finding(sequence + 1, f"was removed: the head is further on, at event {head[0]}")
    if head != (sequence, previous):
        return Finding(sequence, "is not what the head's row says: events were added past it, or it was changed")
    if not pin_seen:
        return Finding(sequence, "is the last, and the pinned head is not on the chain: its tail was cut off")
    return None


def event_of(row: Mapping[str, Any]) -> Event:
    """The event that a row of the ledger says."""
    return Event(
        _known(row["type"]), row["at"], row["actor"], row["phone"], row["message_id"], row["raw_sha256"], row["detail"]
    )


def _known(name: str) -> Any:
    # An unknown type can only be an edit: hash it as it stands, and let the hash say so.
    return EventType(name) if name in EventType.__members__.values() else name


def _forget(hashes: dict[int, str], sequence: int) -> None:
    """Keep the hashes that later events still skip to: those of the numbers made of this one's leading binary ones."""
    keep = {0, sequence}
    ancestor = sequence
    while ancestor:
        ancestor = skips_to(ancestor)
        keep.add(ancestor)
    if len(hashes) > 2 * len(keep) + 64:
        for stale in hashes.keys() - keep:
            del hashes[stale]


def _disagreements(phones: Any) -> tuple[str, ...]:
    return tuple(
        f"{mask(phone)} is {'opted out by the ledger, and not' if by_ledger else 'not opted out by the ledger, but is'}"
        " in the register"
        for phone, by_ledger in phones
    )
