"""Statements for API keys: their hashes, never their tokens."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select, update

from .paging import newest_first
from .tables import api_keys


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Store a key."""
    connection.execute(insert(api_keys), row)


def by_prefix(connection: Connection, prefix: str) -> RowMapping | None:
    """The key with this prefix."""
    return connection.execute(select(api_keys).where(api_keys.c.prefix == prefix)).mappings().one_or_none()


def get(connection: Connection, wanted: UUID | str) -> RowMapping | None:
    """A key by its id or its prefix."""
    if isinstance(wanted, str):
        return by_prefix(connection, wanted)
    return connection.execute(select(api_keys).where(api_keys.c.id == wanted)).mappings().one_or_none()


def page(
    connection: Connection, *, older_than: UUID | None = None, newer_than: UUID | None = None, limit: int
) -> Sequence[RowMapping]:
    """At most ``limit`` keys, newest first."""
    return newest_first(
        connection, select(api_keys), api_keys.c.id, older_than=older_than, newer_than=newer_than, limit=limit
    )


def revoke(connection: Connection, key_id: UUID, *, at: datetime, by: str) -> None:
    """End a key."""
    connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=at, revoked_by=by))


def note_use(connection: Connection, key_id: UUID, *, at: datetime) -> None:
    """Say when a key was last used."""
    connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=at))
