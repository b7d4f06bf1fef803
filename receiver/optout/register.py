"""The register, changed by people: stops that reached the enterprise otherwise than by SMS, and lifts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from receiver.store import ledger, optouts, subscriptions
from receiver.store.audit_log import Note
from receiver.store.store import Store
from receiver.vocabulary import as_it_came, phone_identity
from receiver.vocabulary.register import Source

# Characters of what goes into the ledger and every proof, where nothing can be shortened afterwards.
LONGEST_REASON = 500
LONGEST_ACTOR = 100


class RegisterError(Exception):
    """A change that the register refuses; the message says what was wrong and what to do."""


class NotOptedOut(RegisterError):
    """There is no opt-out to lift."""


class NotAPhone(RegisterError):
    """What was given is no phone number."""


class Unexplained(RegisterError):
    """A change by a person needs to say who and why, each at no undue length."""


@dataclass(frozen=True, slots=True)
class Added:
    """Who was opted out by an addition, and who was already."""

    new: frozenset[str]
    repeated: frozenset[str]


class Register:
    """The opt-out register of one database. ``region`` is whose numbers come without a country code."""

    def __init__(
        self, store: Store, region: str = "CN", *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._region = region
        self._clock = clock

    def add(self, phones: Iterable[str], *, source: Source, reason: str, actor: str, note: Note | None = None) -> Added:
        """Opt phones out, written in any way, in one transaction; all of them, or none where one is no phone.

        ``note`` is written with it, for the audit.

        Raises NotAPhone, Unexplained, StoreError.
        """
        explained(reason, actor)
        identities = sorted({self.identity(phone) for phone in phones})
        now = self._clock()
        stops = [optouts.Stop(phone, now, source, actor.strip(), reason.strip()) for phone in identities]
        with self._store.writing() as connection:
            new = optouts.opt_out(connection, stops)
            if note is not None:
                note.note(connection)
        return Added(frozenset(new), frozenset(identities) - new)

    def lift(self, phone: str, *, reason: str, actor: str, note: Note | None = None) -> str:
        """Take an opt-out back; what the register had it under. Its history and its services' end stay.

        Raises NotOptedOut, Unexplained, StoreError. No SMS leads here.
        """
        explained(reason, actor)
        now = self._clock()
        with self._store.writing() as connection:
            for name in self._names(phone):
                if optouts.lift(connection, name, at=now, reason=reason.strip(), actor=actor.strip()):
                    if note is not None:
                        note.note(connection)
                    return name
        raise NotOptedOut("this phone is not opted out: there is nothing to lift")

    def history(self, phone: str) -> "History":
        """All that is known of one subscriber's opt-outs. Raises StoreError."""
        names = self._names(phone)
        with self._store.snapshot() as connection:
            in_force = optouts.suppressed(connection, names)
            events = {name: ledger.of_phone(connection, name) for name in names}
            known = [name for name in names if name in in_force] or [name for name in names if events[name]] or names
            name = known[0]
            return History(
                name,
                dict(in_force[name]) if name in in_force else None,
                [dict(event) for event in events[name]],
                [dict(subscription) for subscription in subscriptions.of_phone(connection, name)],
            )

    def identity(self, phone: str) -> str:
        """The E.164 form of ``phone``. Raises NotAPhone."""
        identity = phone_identity(phone, self._region)
        if identity is None:
            raise NotAPhone(f"{phone!r} is no phone number: write it like 13912345678 or +8613912345678")
        return identity

    def is_same(self, phone: str, written: str) -> bool:
        """Whether ``written``, in any way, is the ``phone`` that the register knows somebody under."""
        return phone in self._names(written)

    def _names(self, phone: str) -> list[str]:
        """What the register may have ``phone`` under, as the guard asks: it may have been no phone number to us when
        it said stop.
        """
        came = as_it_came(phone)
        return list(dict.fromkeys([phone_identity(phone, self._region) or came, came]))


def explained(reason: str, actor: str) -> None:
    """Refuse a change by a person that says not who and why. Raises Unexplained."""
    for name, value, longest in (("reason", reason, LONGEST_REASON), ("actor", actor, LONGEST_ACTOR)):
        if not value.strip():
            raise Unexplained(f"say the {name}: it is part of the proof")
        if len(value.strip()) > longest:
            raise Unexplained(f"the {name} is longer than {longest} characters: shorten it")


@dataclass(frozen=True, slots=True)
class History:
    """One subscriber: the opt-out in force, every event, every subscription."""

    identity: str
    optout: Mapping[str, Any] | None
    events: Sequence[Mapping[str, Any]]
    subscriptions: Sequence[Mapping[str, Any]]
