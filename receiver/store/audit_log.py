"""Statements for the audit: a row is added with what it tells of, and never changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select

from .paging import newest_first
from .ranges import at_between
from .tables import audit


@dataclass(frozen=True, slots=True)
class Filter:
    """Which acts: those that meet every condition given."""

    action: str | None = None
    actor: str | None = None
    target: str | None = None
    key_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class Note(Protocol):
    """An act that is noted in the transaction of what it did."""

    def note(self, transaction: Connection) -> None: ...


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Note an act, at this moment."""
    connection.execute(insert(audit), {"at": datetime.now(UTC), **row})


def was_noted(connection: Connection, action: str, actor: str, target: str | None, *, since: UUID) -> bool:
    """Whether somebody's act of this kind, to this and nothing else, was noted under an id from ``since`` on."""
    kind = audit.c.action == action, audit.c.target.is_not_distinct_from(target)
    found = select(audit.c.id).where(audit.c.actor == actor, audit.c.id >= since, *kind).limit(1)
    return connection.execute(found).first() is not None


def last(connection: Connection, action: str) -> datetime | None:
    """When an act of this kind was noted last."""
    newest = select(audit.c.at).where(audit.c.action == action).order_by(audit.c.id.desc()).limit(1)
    return connection.scalar(newest)


def page(
    connection: Connection,
    chosen: Filter,
    *,
    older_than: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """At most ``limit`` acts, newest first."""
    statement = select(audit).where(*_conditions(chosen))
    return newest_first(connection, statement, audit.c.id, older_than=older_than, newer_than=newer_than, limit=limit)


def _conditions(chosen: Filter) -> Iterator[ColumnElement[bool]]:
    for name in ("action", "actor", "target", "key_id"):
        value = getattr(chosen, name)
        if value is not None:
            yield audit.c[name] == value
    yield from at_between(audit, audit.c.at, chosen.since, chosen.until)
