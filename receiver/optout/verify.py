"""Whether the ledger is what it was: its first event that was edited, removed, inserted or moved."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from receiver.store import agreement, ledger
from receiver.store.store import Store
from receiver.vocabulary import mask
from receiver.vocabulary.ledger import GENESIS, chained, skips_to

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

    ``pinned`` is a head that was kept outside, ``HASH`` or ``SEQUENCE:HASH``: it must be on the chain, else a tail that
    held it was cut off.
    Memory grows with the logarithm of the ledger. Raises StoreError.
    """
    with store.snapshot() as connection:
        total = ledger.count(connection)
        chain = _Chain()
        pin = _Pin(pinned)
        pin.look(0, GENESIS)
        for row in ledger.stream(connection):
            finding = _wrong(row, chain)
            if finding is not None:
                return Verification(chain.sequence, chain.hash, finding)
            chain.add(row.sequence, row.hash)
            pin.look(row.sequence, row.hash)
            if row.sequence % 1_000 == 0:
                progress(row.sequence, total)
        progress(chain.sequence, total)
        finding = _wrong_end(ledger.head(connection), chain.sequence, chain.hash, pin)
        if finding is not None:
            return Verification(chain.sequence, chain.hash, finding)
        return Verification(chain.sequence, chain.hash, None, _disagreements(connection))


class _Pin:
    """A head that was kept outside, and the number of the event that has its hash."""

    def __init__(self, kept: str | None) -> None:
        self.number, _, self.hash = (kept or "").rpartition(":")
        self.found: int | None = None

    def look(self, sequence: int, event_hash: str) -> None:
        if event_hash == self.hash:
            self.found = sequence


class _Chain:
    """The hashes that a next event may stand on: the last one, and those that it skips back to, step by step.

    They are the numbers that are made of the last one's leading binary ones: no more than it has digits.
    """

    def __init__(self) -> None:
        self._kept = [(0, GENESIS)]

    @property
    def sequence(self) -> int:
        return self._kept[-1][0]

    @property
    def hash(self) -> str:
        return self._kept[-1][1]

    def __len__(self) -> int:
        return len(self._kept)

    def skipped(self, sequence: int) -> str:
        """The hash that the next event, number ``sequence``, skips back to."""
        target = skips_to(sequence)
        return next(kept for number, kept in reversed(self._kept) if number == target)

    def add(self, sequence: int, event_hash: str) -> None:
        target = skips_to(sequence)
        while self._kept[-1][0] != target:
            self._kept.pop()
        self._kept.append((sequence, event_hash))


def _wrong(row: ledger.Written, chain: _Chain) -> Finding | None:
    sequence = row.sequence
    if sequence != chain.sequence + 1:
        return Finding(chain.sequence + 1, "was removed: its number is missing")
    if row.previous != chain.hash:
        return Finding(sequence, "was inserted or moved: it does not follow the event before it")
    try:
        said = sha256(canonical(row)).hexdigest()
    except (TypeError, ValueError, RecursionError):
        return Finding(sequence, "was edited: it holds what no event can")
    if row.hash != chained(chain.hash, chain.skipped(sequence), said):
        return Finding(sequence, "was edited: its hash is not that of what it says")
    return None


def _wrong_end(head: tuple[int, str], sequence: int, previous: str, pin: _Pin) -> Finding | None:
    if head[0] > sequence:
        return Finding(sequence + 1, f"was removed: the head is further on, at event {head[0]}")
    if head != (sequence, previous):
        return Finding(sequence, "is not what the head's row says: events were added past it, or it was changed")
    if pin.hash and pin.found is None:
        return Finding(sequence, "is the last, and the pinned head is not on the chain: its tail was cut off")
    if pin.number and pin.number != str(pin.found):
        return Finding(sequence, f"is the last, and the pinned head is event {pin.found}: its number is another")
    return None


def canonical(row: ledger.Written) -> bytes:
    """The bytes that the event's hash covers: those of ``vocabulary.ledger.canonical``, at a third of the cost."""
    return (
        f'{{"actor":{_quoted(row.actor)},"at":{_quoted(row.at)},"detail":{_canonical_detail(row.detail)},'
        f'"message_id":{_quoted_or_null(row.message_id)},"phone":{_quoted_or_null(row.phone)},'
        f'"raw_sha256":{_quoted_or_null(row.raw_sha256)},"sequence":{row.sequence},"type":{_quoted(row.type)}}}'
    ).encode("ascii")


def _quoted_or_null(value: str | None) -> str:
    return "null" if value is None else _quoted(value)


@lru_cache(maxsize=1_024)
def _canonical_detail(written: str) -> str:
    # Most events say one of few things: {"source": "sms"}.
    return json.dumps(_read(written), sort_keys=True, separators=(",", ":"))


def _read(detail: str) -> Any:
    """The value of an event's detail. Raises ValueError where it says two things under one name.

    Of those one reader takes the first and another the last: an edit that puts one more in would be found by neither.
    """
    return json.loads(detail, object_pairs_hook=_once_each)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name comes twice")
    return made


def _disagreements(connection: Any) -> tuple[str, ...]:
    """What the register says otherwise than the ledger, whose hashes are right; of much the first that is found."""
    with closing(agreement.doubtful(connection)) as doubtful:
        found = ((held.phone, problem) for held in doubtful if (problem := _disagreement(held)))
        named = sorted(islice(found, _NAMED))
    for phone in agreement.subscribed(connection, _NAMED - len(named)):
        named.append((phone, "is opted out, and has an active subscription"))
    return tuple(f"{mask(phone)} {problem}" for phone, problem in named)


def _disagreement(held: agreement.Held) -> str | None:
    if not held.in_register:
        return "is opted out by the ledger, and not in the register"
    if held.detail is None:
        return "is not opted out by the ledger, but is in the register"
    source, reason = _source_and_reason(held.detail)
    same = {
        "since": held.same_since,
        "actor": held.same_actor,
        "message_id": held.same_message,
        "source": held.source == source,
        "reason": held.reason == reason,
    }
    others = [name for name, agrees in same.items() if not agrees]
    return f"is opted out with another {', '.join(others)} in the register than in the ledger" if others else None


@lru_cache(maxsize=1_024)
def _source_and_reason(detail: str) -> tuple[Any, Any]:
    said = _read(detail)
    return (said.get("source"), said.get("reason")) if isinstance(said, dict) else (None, None)
