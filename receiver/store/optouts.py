"""The opt-out register's statements: a stop is put in force, with what it cancels and its proof, in one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from receiver.vocabulary.ledger import Event, EventType

from . import ledger
from .tables import optouts, subscriptions
from .upsert import insert_or

# Who acts where the subscriber's own SMS does.
SUBSCRIBER = "subscriber"
# Values of an IN list, under every database's limit of parameters.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class StopRequest:
    """A subscriber's stop, and the message or quarantined delivery that said it."""

    phone: str
    at: datetime
    raw: bytes
    message_id: UUID | None = None
    quarantine_id: UUID | None = None

    @property
    def cause(self) -> UUID | None:
        return self.message_id or self.quarantine_id


def opt_out(connection: Connection, stops: Sequence[StopRequest]) -> None:
    """Put every stop in force: the opt-out, the end of the subscriber's services, and the ledger's events.

    Idempotent: a stop of a phone that is opted out already is an event (``repeated``), and changes nothing else.
    """
    # One order for all writers, so that two batches with the same phones can't deadlock.
    first = {stop.phone: stop for stop in sorted(stops, key=lambda stop: stop.at, reverse=True)}
    phones = sorted(first)
    new = {phone for chunk in _chunks(phones) for phone in _insert_new(connection, [first[phone] for phone in chunk])}
    cancelled = _cancel_services(connection, first)
    ledger.append(connection, _events(stops, new, cancelled))


def _events(stops: Sequence[StopRequest], new: set[str], cancelled: dict[str, list[str]]) -> Iterator[Event]:
    for stop in sorted(stops, key=lambda stop: stop.at):
        kind = EventType.OPTED_OUT if stop.phone in new else EventType.REPEATED
        new.discard(stop.phone)
        yield _event(stop, kind, {"source": "sms"})
        for service in cancelled.pop(stop.phone, []):
            yield _event(stop, EventType.SERVICE_CANCELLED, {"service": service})


def _event(stop: StopRequest, kind: EventType, detail: dict[str, Any]) -> Event:
    if stop.quarantine_id is not None:
        detail = {**detail, "quarantine_id": str(stop.quarantine_id)}
    return Event(kind, stop.at, SUBSCRIBER, stop.phone, stop.message_id, sha256(stop.raw).hexdigest(), detail)


def _insert_new(connection: Connection, stops: Sequence[StopRequest]) -> Iterable[str]:
    """Enter the phones that are not in the register; those phones."""
    statement = insert_or(connection, optouts).on_conflict_do_nothing(index_elements=["phone"])
    rows = [
        {"phone": stop.phone, "since": stop.at, "source": "sms", "actor": SUBSCRIBER, "message_id": stop.message_id}
        for stop in stops
    ]
    return connection.scalars(statement.returning(optouts.c.phone), rows)


def _cancel_services(connection: Connection, first: dict[str, StopRequest]) -> dict[str, list[str]]:
    """End every active subscription of the phones; their services, by phone."""
    active = [
        row
        for chunk in _chunks(sorted(first))
        for row in connection.execute(
            select(subscriptions.c.id, subscriptions.c.phone, subscriptions.c.service)
            .where(subscriptions.c.phone.in_(chunk), subscriptions.c.cancelled_at.is_(None))
            .order_by(subscriptions.c.phone, subscriptions.c.service)
            .with_for_update()
        )
    ]
    cancelled: dict[str, list[str]] = {}
    for row in active:
        cancelled.setdefault(row.phone, []).append(row.service)
    if active:
        connection.execute(
            update(subscriptions)
            .where(subscriptions.c.id == bindparam("subscription"))
            .values(cancelled_at=bindparam("at"), cancelled_by=bindparam("by")),
            [{"subscription": row.id, "at": first[row.phone].at, "by": first[row.phone].cause} for row in active],
        )
    return cancelled


def _chunks(phones: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(phones), _CHUNK):
        yield phones[start : start + _CHUNK]


def suppressed(connection: Connection, phones: Iterable[str]) -> dict[str, RowMapping]:
    """The opt-outs among ``phones`` (identities), by phone."""
    wanted = sorted(set(phones))
    return {
        row["phone"]: row
        for chunk in _chunks(wanted)
        for row in connection.execute(select(optouts).where(optouts.c.phone.in_(chunk))).mappings()
    }


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
