"""The opt-out register's statements: a stop is put in force, with what it cancels and its proof, in one transaction."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Text, bindparam, delete, func, insert, select, text, tuple_, update

from receiver.vocabulary.ledger import Event, EventType
from receiver.vocabulary.register import SUBSCRIBER, Source

from .ledger import Chain
from .tables import UtcDateTime, optouts, subscriptions


@dataclass(frozen=True, slots=True)
class Stop:
    """A wish to get nothing more, and what said it: an SMS (message or quarantined delivery), or a person's entry."""

    phone: str
    at: datetime
    source: Source = Source.SMS
    actor: str = SUBSCRIBER
    reason: str | None = None
    raw: bytes | None = None
    message_id: UUID | None = None
    quarantine_id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cause(self) -> UUID | None:
        return self.message_id or self.quarantine_id


def opt_out(
    connection: Connection, stops: Sequence[Stop], *, chain: Chain | None = None, repeats: bool = True
) -> set[str]:
    """Put every stop in force: the opt-out, the end of the subscriber's services, and the ledger's events.

    Idempotent: a stop of a phone that is opted out already is an event (``repeated``), and changes nothing else.
    The phones that were not opted out before. ``chain`` is the ledger where the caller has locked it already;
    without ``repeats`` a phone that is opted out already is passed over.
    """
    # The ledger's lock first: who changes the register does it one after the other, so that a stop and a lift of the
    # same phone at the same moment have one order, and the register is what the ledger says.
    chain = chain or Chain(connection)
    stops = sorted(stops, key=lambda stop: stop.at)
    first = {stop.phone: stop for stop in reversed(stops)}  # of the same moment, the one that came first
    new = first.keys() - suppressed(connection, first)
    if not repeats:
        first = {phone: stop for phone, stop in first.items() if phone in new}
        stops = [stop for stop in stops if first.get(stop.phone) is stop]
    if new:
        connection.execute(insert(optouts), [_row(first[phone]) for phone in sorted(new)])
    cancelled = _cancel_services(connection, first)
    chain.append(_events(stops, set(new), cancelled))
    return set(new)


def lift(connection: Connection, phone: str, *, at: datetime, reason: str, actor: str) -> bool:
    """Take an opt-out back, with its event; false where there is none. Services stay cancelled."""
    chain = Chain(connection)
    lifted = connection.execute(delete(optouts).where(optouts.c.phone == phone)).rowcount == 1
    if lifted:
        chain.append([Event(EventType.LIFTED, at, actor, phone, detail={"reason": reason})])
    return lifted


def _row(stop: Stop) -> dict[str, Any]:
    return {
        "phone": stop.phone,
        "since": stop.at,
        "source": stop.source,
        "reason": stop.reason,
        "actor": stop.actor,
        "message_id": stop.message_id,
    }


def _events(stops: Sequence[Stop], new: set[str], cancelled: dict[str, list[str]]) -> Iterator[Event]:
    for stop in stops:
        kind = EventType.OPTED_OUT if stop.phone in new else EventType.REPEATED
        new.discard(stop.phone)
        yield _event(stop, kind, {"source": stop.source.value} | ({"reason": stop.reason} if stop.reason else {}))
        for service in cancelled.pop(stop.phone, []):
            yield _event(stop, EventType.SERVICE_CANCELLED, {"service": service})


def _event(stop: Stop, kind: EventType, detail: dict[str, Any]) -> Event:
    detail = {**stop.detail, **detail}
    if stop.quarantine_id is not None:
        detail = {**detail, "quarantine_id": str(stop.quarantine_id)}
    raw_sha256 = None if stop.raw is None else sha256(stop.raw).hexdigest()
    return Event(kind, stop.at, stop.actor, stop.phone, stop.message_id, raw_sha256, detail)


def _cancel_services(connection: Connection, first: dict[str, Stop]) -> dict[str, list[str]]:
    """End every active subscription of the phones; their services, by phone."""
    active = connection.execute(
        select(subscriptions.c.id, subscriptions.c.phone, subscriptions.c.service, subscriptions.c.since)
        .where(subscriptions.c.phone.in_(_listed(connection)), subscriptions.c.cancelled_at.is_(None))
        .order_by(subscriptions.c.phone, subscriptions.c.service),
        {"phones": json.dumps(sorted(first))},
    ).all()
    cancelled: dict[str, list[str]] = {}
    for row in active:
        cancelled.setdefault(row.phone, []).append(row.service)
    if active:
        connection.execute(
            update(subscriptions)
            .where(subscriptions.c.id == bindparam("subscription"))
            .values(cancelled_at=bindparam("at"), cancelled_by=bindparam("by")),
            [
                # A stop that was read late may be older than what it ends.
                {"subscription": row.id, "at": max(first[row.phone].at, row.since), "by": first[row.phone].cause}
                for row in active
            ],
        )
    return cancelled


def suppressed(connection: Connection, phones: Iterable[str]) -> dict[str, RowMapping]:
    """The opt-outs among ``phones`` (identities), by phone. One statement, however many they are."""
    statement = select(optouts).where(optouts.c.phone.in_(_listed(connection)))
    found = connection.execute(statement, {"phones": json.dumps(list(phones))})
    return {row["phone"]: row for row in found.mappings()}


def _listed(connection: Connection) -> Any:
    """The phones of the JSON parameter ``phones``, as a subquery: no database limits its length.

    Without parentheses: IN adds its own, and in two pairs SQLite takes the first phone alone.
    """
    if connection.dialect.name == "sqlite":
        return text("SELECT value FROM json_each(:phones)")
    return text("SELECT json_array_elements_text(CAST(:phones AS json))")


def page(
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """The newest ``limit`` opt-outs in force, begun at or after ``since`` and before ``until``.

    ``after`` is where an earlier page ended: the last one's ``since``, and how many with just that moment were seen.
    """
    statement = select(optouts).order_by(optouts.c.since.desc(), optouts.c.phone).limit(limit)
    if since is not None:
        statement = statement.where(optouts.c.since >= since)
    if until is not None:
        statement = statement.where(optouts.c.since < until)
    if after is not None:
        moment, seen = after
        statement = statement.where(optouts.c.since <= moment).offset(seen)
    return connection.execute(statement).mappings().all()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which opt-outs in force: those that meet every condition given. Begun at or after ``since``, before ``until``."""

    since: datetime | None = None
    until: datetime | None = None
    source: Source | None = None


# Where a page of ``newest`` ended, or began: the opt-out's ``since`` and phone.
Key = tuple[datetime, str]


def newest(
    connection: Connection, chosen: Filter, *, older_than: Key | None = None, newer_than: Key | None = None, limit: int
) -> Sequence[RowMapping]:
    """At most ``limit`` opt-outs in force, newest first, of one moment by phone: the first, or those next to a key."""
    key = tuple_(optouts.c.since, optouts.c.phone)
    statement = select(optouts).limit(limit)
    if chosen.since is not None:
        statement = statement.where(optouts.c.since >= chosen.since)
    if chosen.until is not None:
        statement = statement.where(optouts.c.since < chosen.until)
    if chosen.source is not None:
        statement = statement.where(optouts.c.source == chosen.source)
    if newer_than is not None:
        ahead = statement.where(key > tuple_(*_bound(newer_than))).order_by(optouts.c.since, optouts.c.phone)
        return list(connection.execute(ahead).mappings().all())[::-1]
    if older_than is not None:
        statement = statement.where(key < tuple_(*_bound(older_than)))
    ordered = statement.order_by(optouts.c.since.desc(), optouts.c.phone.desc())
    return connection.execute(ordered).mappings().all()


def _bound(key: Key) -> tuple[Any, Any]:
    return bindparam(None, key[0], UtcDateTime), bindparam(None, key[1], Text)


def count(connection: Connection) -> int:
    """How many phones are opted out."""
    return connection.scalar(select(func.count()).select_from(optouts)) or 0


def by_phone(connection: Connection, *, after: str | None, limit: int) -> Sequence[RowMapping]:
    """At most ``limit`` opt-outs in force, by phone: the first, or those behind ``after``."""
    statement = select(optouts).order_by(optouts.c.phone).limit(limit)
    if after is not None:
        statement = statement.where(optouts.c.phone > after)
    return connection.execute(statement).mappings().all()


def stream(connection: Connection) -> Iterator[Mapping[str, Any]]:
    """Every opt-out in force, by phone, in as little memory for a million as for one."""
    statement = select(optouts).order_by(optouts.c.phone)
    with connection.execute(statement, execution_options={"yield_per": 5_000}) as result:
        yield from cast(Iterable[Mapping[str, Any]], result.mappings())
