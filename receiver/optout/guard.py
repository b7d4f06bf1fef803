"""The guard: whom nothing may be sent to. Every way out asks it, and it fails closed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from receiver import tally
from receiver.store import optouts
from receiver.store.errors import StoreError
from receiver.store.ledger import Chain
from receiver.store.store import Store
from receiver.vocabulary import as_it_came, phone_identity
from receiver.vocabulary.ledger import Event, EventType

# Phones of one question. Each is answered by the register's index; nothing is loaded into memory.
_ASKED_AT_ONCE = 10_000


class GuardUnavailable(Exception):
    """The register can't be asked: nobody may be texted now."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A phone as it was written, who that is, and since when, by what and why it may not be texted."""

    written: str
    identity: str
    since: datetime
    source: str
    reason: str | None


@dataclass(slots=True)
class Verdict:
    """What may be sent: to ``allowed`` (as written, with its identity) and to no one else.

    Each string that was asked about is in one of these once, however often it was given. Two written forms of one
    number are two: ``allowed`` then has two pairs with the same identity. Who sends sends once to each identity.
    """

    blocked: list[Blocked] = field(default_factory=list)
    allowed: list[tuple[str, str]] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


def blocked(store: Store, phones: Iterable[str], region: str = "CN") -> Verdict:
    """Who of ``phones``, written in any way, is opted out; which is no phone; and who may be texted.

    What is no phone is still blocked where the register has it as it came. Whoever sends asks right before each
    batch: a stop that was answered ``0`` is seen by every question asked after it.

    Raises GuardUnavailable where the register can't be asked: then nothing may be sent.
    """
    try:
        with store.reading() as connection:
            return asked(connection, phones, region)
    except StoreError as failure:
        tally.GUARD_FAILURES.of().add()
        raise GuardUnavailable(f"the opt-out register can't be asked, so nobody may be texted: {failure}") from failure


def asked(connection: Any, phones: Iterable[str], region: str = "CN") -> Verdict:
    """As ``blocked``, inside the transaction of whoever sends: one that can't be asked fails as a whole.

    A transaction that has locked the ledger (``store.ledger.Chain``) holds off every further stop until it ends.
    """
    verdict = Verdict()
    for some in _batches(_once_each(phones)):
        identities = {phone: phone_identity(phone, region) for phone in some}
        # As it came too: it may have been no phone number to us when it said stop.
        names = set(map(as_it_came, some)) | {identity for identity in identities.values() if identity}
        register = optouts.suppressed(connection, names)
        for phone, identity in identities.items():
            _judge(phone, identity, register, verdict)
    _count(verdict)
    return verdict


def note_blocked(store: Store, stopped: Iterable[Blocked], *, actor: str, detail: Mapping[str, Any]) -> None:
    """Put into the ledger that a send was stopped; ``detail`` says which. Raises StoreError."""
    at = datetime.now(UTC)
    with store.writing() as connection:
        Chain(connection).append(
            Event(EventType.SEND_BLOCKED, at, actor, phone.identity, detail=dict(detail)) for phone in stopped
        )


def _judge(phone: str, identity: str | None, register: Mapping[str, Any], verdict: Verdict) -> None:
    row = register.get(identity or "") or register.get(as_it_came(phone))
    if row is not None:
        verdict.blocked.append(Blocked(phone, row["phone"], row["since"], row["source"], row["reason"]))
    elif identity is None:
        verdict.invalid.append(phone)
    else:
        verdict.allowed.append((phone, identity))


def _count(verdict: Verdict) -> None:
    # Each person once, though who sends asks for several forms of a phone.
    tally.GUARD.of("blocked").add(len({each.identity for each in verdict.blocked}))
    tally.GUARD.of("allowed").add(len({identity for _, identity in verdict.allowed}))
    tally.GUARD.of("invalid").add(len(verdict.invalid))


def _once_each(phones: Iterable[str]) -> Iterator[str]:
    """``phones``, each string the first time that it comes: in the whole call, and not in its batch alone."""
    given: set[str] = set()
    for phone in phones:
        if phone not in given:
            given.add(phone)
            yield phone


def _batches(phones: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(phones)
    while some := list(islice(remaining, _ASKED_AT_ONCE)):
        yield some
