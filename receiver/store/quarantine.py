"""Statements for quarantine: list it, look into one, and claim one for replay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from receiver.vocabulary import Reason

from .paging import newest_first
from .ranges import received
from .tables import quarantine

_SHOWN = [
    *[column for column in quarantine.c if column.name != "raw"],
    func.length(quarantine.c.raw).label("size"),
]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which quarantined deliveries: those that meet every condition given."""

    reason: Reason | None = None
    peer: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    replayed: bool | None = None


def page(
    connection: Connection,
    chosen: Filter,
    *,
    after: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int,
    with_raw: bool = False,
) -> Sequence[RowMapping]:
    """At most ``limit`` deliveries, newest first: those behind ``after``, or right before ``newer_than``."""
    statement = select(*([*_SHOWN, quarantine.c.raw] if with_raw else _SHOWN)).where(*_conditions(chosen))
    return newest_first(connection, statement, quarantine.c.id, older_than=after, newer_than=newer_than, limit=limit)


def oldest(connection: Connection, chosen: Filter, *, after: UUID | None = None, limit: int) -> Sequence[RowMapping]:
    """The oldest ``limit`` deliveries, or the oldest of those newer than ``after``: the order in which to replay."""
    statement = select(*_SHOWN).where(*_conditions(chosen)).order_by(quarantine.c.id).limit(limit)
    if after is not None:
        statement = statement.where(quarantine.c.id > after)
    return connection.execute(statement).mappings().all()


def count(connection: Connection, chosen: Filter) -> int:
    statement = select(func.count()).select_from(quarantine).where(*_conditions(chosen))
    return connection.execute(statement).scalar_one()


def get(connection: Connection, quarantine_id: UUID) -> RowMapping | None:
    """One delivery with its raw bytes."""
    statement = select(*_SHOWN, quarantine.c.raw).where(quarantine.c.id == quarantine_id)
    return connection.execute(statement).mappings().one_or_none()


def claim(connection: Connection, quarantine_id: UUID, *, replayed_at: datetime, message_id: UUID) -> bool:
    """Mark a delivery as replayed; false where it was before.

    Of two at once the second waits here for the first one's transaction, and then finds it marked.
    """
    statement = (
        update(quarantine)
        .where(quarantine.c.id == quarantine_id, quarantine.c.replayed_at.is_(None))
        .values(replayed_at=replayed_at, message_id=message_id)
    )
    return connection.execute(statement).rowcount == 1


def _conditions(chosen: Filter) -> Iterator[ColumnElement[bool]]:
    if chosen.reason is not None:
        yield quarantine.c.reason == chosen.reason
    if chosen.peer is not None:
        yield quarantine.c.peer == chosen.peer
    if chosen.replayed is not None:
        yield quarantine.c.replayed_at.is_not(None) if chosen.replayed else quarantine.c.replayed_at.is_(None)
    yield from received(quarantine, chosen.since, chosen.until)
