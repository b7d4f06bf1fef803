"""Statements for the audit: a row is added with what it tells of, and never changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
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


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Note an act, at this moment."""
    connection.execute(insert(audit), {"at": datetime.now(UTC), **row})


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
