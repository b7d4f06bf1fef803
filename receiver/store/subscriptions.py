"""Which phone has which service since when; a phone that is opted out can get none."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, exc, exists, func, insert, select, update

from receiver.vocabulary import earliest_id, new_id
from receiver.vocabulary.ledger import Event, EventType
from receiver.vocabulary.register import SYSTEM

from .errors import Conflict
from .ledger import Chain, head
from .paging import newest_first
from .tables import ledger, optouts, services, staged_subscriptions, subscriptions
from .upsert import insert_or

# Staged rows that SQLite takes in one transaction: a third of a second.
_SLICE = 50_000
# The line of a staged row that is none: it notes that its import has begun to count.
_BEGUN = 0
_LOCK_NOT_AVAILABLE = "55P03"


class Subscribed(StrEnum):
    """What became of a wish to subscribe."""

    NEW = "subscribed"
    ALREADY = "already subscribed"
    OPTED_OUT = "opted out"
    NO_SERVICE = "no such service"


def subscribe(connection: Connection, phone: str, service: str, since: datetime) -> Subscribed:
    """Give ``phone`` a service. A stop at the same moment comes before it or ends it: both lock the register.

    Raises Conflict where an import gives it the same and is not done.
    """
    if _is_opted_out(connection, phone):
        return Subscribed.OPTED_OUT
    if not connection.scalar(select(exists().where(services.c.code == service))):
        return Subscribed.NO_SERVICE
    row = {"id": new_id(), "phone": phone, "service": service, "since": since}
    # Before the register is locked: this waits for an import that has the same row, for many seconds on PostgreSQL, and
    # no stop may wait with it. Nobody sees the row before it is certain that the phone is not opted out.
    is_new = _insert_patiently(connection, row)
    Chain(connection)
    if _is_opted_out(connection, phone):
        connection.execute(delete(subscriptions).where(subscriptions.c.id == row["id"]))
        return Subscribed.OPTED_OUT
    return Subscribed.NEW if is_new else Subscribed.ALREADY


def cancel(connection: Connection, phone: str, service: str, at: datetime, *, reason: str, actor: str) -> bool:
    """End one subscription at somebody's wish, with its event; whether there was one. That is no opt-out."""
    chain = Chain(connection)
    ended = update(subscriptions).where(_active(phone, service)).values(cancelled_at=at)
    if connection.execute(ended).rowcount == 0:
        return False
    detail = {"service": service, "reason": reason}
    chain.append([Event(EventType.SERVICE_CANCELLED, at, actor, phone, detail=detail)])
    return True


def of_phone(connection: Connection, phone: str) -> Sequence[RowMapping]:
    """All that a phone ever subscribed to, the newest first."""
    statement = select(subscriptions).where(subscriptions.c.phone == phone).order_by(subscriptions.c.id.desc())
    return connection.execute(statement).mappings().all()


def page(
    connection: Connection,
    *,
    service: str | None = None,
    phone: str | None = None,
    active: bool = True,
    after: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """Subscriptions, the newest first: those behind ``after``, or right before ``newer_than``."""
    statement = select(subscriptions)
    if phone is not None:
        statement = statement.where(subscriptions.c.phone == phone)
    if service is not None:
        statement = statement.where(subscriptions.c.service == service)
    if active:
        statement = statement.where(subscriptions.c.cancelled_at.is_(None))
    return newest_first(connection, statement, subscriptions.c.id, older_than=after, newer_than=newer_than, limit=limit)


def stage(connection: Connection, import_id: UUID, rows: Iterable[dict[str, Any]]) -> None:
    """Prepare rows (``line`` from 1, ``phone``, ``service``, ``since``) of an import; nothing counts yet."""
    connection.execute(insert(staged_subscriptions), [{"import_id": import_id, "id": new_id(), **row} for row in rows])


def staged_of_opted_out(connection: Connection, import_id: UUID, *, after: int, limit: int) -> Sequence[RowMapping]:
    """The prepared rows whose phone is opted out, by line from below ``after`` on: they are left out."""
    statement = (
        select(staged_subscriptions)
        .join(optouts, optouts.c.phone == staged_subscriptions.c.phone)
        .where(staged_subscriptions.c.import_id == import_id, staged_subscriptions.c.line > after)
        .order_by(staged_subscriptions.c.line)
        .limit(limit)
    )
    return connection.execute(statement).mappings().all()


def staged_new(connection: Connection, import_id: UUID) -> int:
    """How many of the prepared rows would be new: of several that say the same one is."""
    staged = staged_subscriptions.c
    has_it = _active(staged.phone, staged.service)
    wanted = (
        select(staged.phone, staged.service)
        .where(
            _of(import_id),
            staged.line != _BEGUN,
            ~exists().where(optouts.c.phone == staged.phone),
            ~exists().where(has_it),
        )
        .distinct()
        .subquery()
    )
    return connection.scalar(select(func.count()).select_from(wanted)) or 0


def slices(connection: Connection, import_id: UUID) -> Sequence[range]:
    """The lines of an import, in parts that may each be taken in a transaction of its own.

    PostgreSQL takes all in one: nobody waits for it. SQLite has one writer at a time, and a million rows took it 7 s,
    longer than a reply may wait: past a slice, an import there is taken bit by bit (see ``begin_taking``).
    """
    last: int = connection.scalar(select(func.max(staged_subscriptions.c.line)).where(_of(import_id))) or 0
    size = _SLICE if connection.dialect.name == "sqlite" else last
    return [range(first, min(first + size, last + 1)) for first in range(1, last + 1, size)] if last else []


def begin_taking(connection: Connection, import_id: UUID, at: datetime) -> None:
    """Note that an import of several slices counts from now on: whatever is killed, ``begun`` names it to be ended."""
    row = {"import_id": import_id, "line": _BEGUN, "id": new_id(), "phone": "", "service": "", "since": at}
    connection.execute(insert_or(connection, staged_subscriptions).on_conflict_do_nothing(), row)


def begun(connection: Connection, *, before: datetime | None = None) -> Sequence[UUID]:
    """Imports that were begun to be taken, before that moment where one is given, and not ended."""
    statement = select(staged_subscriptions.c.import_id).where(staged_subscriptions.c.line == _BEGUN)
    if before is not None:
        statement = statement.where(staged_subscriptions.c.since < before)
    return connection.scalars(statement.order_by(staged_subscriptions.c.import_id)).all()


def take_staged(connection: Connection, import_id: UUID, lines: range, at: datetime) -> int:
    """Make the rows of these lines count; how many subscriptions are new. The same again makes no difference.

    The register stays unlocked for the seconds that this may take, since a stop must not wait. Who says stop meanwhile
    is seen at the end, under the lock and in the same transaction: no kill can come between.
    """
    known, _ = head(connection)
    chosen = (
        select(*[staged_subscriptions.c[name] for name in ("id", "phone", "service", "since")])
        .where(
            _within(import_id, lines),
            ~exists().where(optouts.c.phone == staged_subscriptions.c.phone),
            # Removed meanwhile, by chance.
            exists().where(services.c.code == staged_subscriptions.c.service),
        )
        .order_by(staged_subscriptions.c.line)
    )
    statement = insert_or(connection, subscriptions).from_select(["id", "phone", "service", "since"], chosen)
    taken = connection.execute(statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    end_of_opted_out(connection, at, after=known)
    return taken.rowcount


def end_of_opted_out(connection: Connection, at: datetime, *, after: int) -> int:
    """End what phones have that were opted out by later events than ``after``, with events of its own; how much."""
    chain = Chain(connection)
    # By the ledger's end: to hold all subscriptions against the whole register takes long, with the ledger locked.
    stopped = select(ledger.c.phone).where(ledger.c.sequence > after, ledger.c.type == EventType.OPTED_OUT)
    unwanted = connection.execute(
        select(subscriptions.c.id, subscriptions.c.phone, subscriptions.c.service, optouts.c.message_id)
        .join(optouts, optouts.c.phone == subscriptions.c.phone)
        .where(optouts.c.phone.in_(stopped), subscriptions.c.cancelled_at.is_(None))
        .order_by(subscriptions.c.phone, subscriptions.c.service)
    ).all()
    for row in unwanted:
        ended = update(subscriptions).where(subscriptions.c.id == row.id)
        connection.execute(ended.values(cancelled_at=at, cancelled_by=row.message_id))
    chain.append(
        Event(EventType.SERVICE_CANCELLED, at, SYSTEM, row.phone, row.message_id, detail={"service": row.service})
        for row in unwanted
    )
    return len(unwanted)


def unstage(connection: Connection, import_id: UUID, lines: range) -> None:
    """Drop what an import prepared under these lines."""
    connection.execute(delete(staged_subscriptions).where(_within(import_id, lines)))


def end_taking(connection: Connection, import_id: UUID) -> None:
    """Take back what ``begin_taking`` noted."""
    connection.execute(delete(staged_subscriptions).where(_of(import_id), staged_subscriptions.c.line == _BEGUN))


def left_behind(connection: Connection, before: datetime) -> Sequence[UUID]:
    """Imports from before that moment that prepared rows and were broken off: theirs never count."""
    statement = select(staged_subscriptions.c.import_id).where(staged_subscriptions.c.import_id < earliest_id(before))
    return connection.scalars(statement.distinct()).all()


def count_active(connection: Connection) -> int:
    """How many subscriptions there are now."""
    return connection.scalar(select(func.count()).where(subscriptions.c.cancelled_at.is_(None))) or 0


def _is_opted_out(connection: Connection, phone: str) -> bool:
    return bool(connection.scalar(select(exists().where(optouts.c.phone == phone))))


def _insert_patiently(connection: Connection, row: dict[str, Any]) -> bool:
    """Insert a subscription unless there is an active one, whose end or undoing is waited for; whether it is new."""
    statement = insert_or(connection, subscriptions).on_conflict_do_nothing()
    try:
        return connection.execute(statement, row, execution_options={"preserve_rowcount": True}).rowcount == 1
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Conflict("an import that has this subscription too is under way, wait until it has ended") from error


def _of(import_id: UUID) -> Any:
    return staged_subscriptions.c.import_id == import_id


def _within(import_id: UUID, lines: range) -> Any:
    return _of(import_id) & staged_subscriptions.c.line.between(lines.start, lines.stop - 1)


def _active(phone: str | ColumnElement[str], service: str | ColumnElement[str]) -> Any:
    return (
        (subscriptions.c.phone == phone) & (subscriptions.c.service == service) & subscriptions.c.cancelled_at.is_(None)
    )
