"""Statements for readings: what a message is taken to say, replaced by another reading of the same bytes.

The one that was replaced stays in ``message_readings``: ``at`` is when it was, ``actor`` who had it read otherwise.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Select, insert, select, update

from receiver.vocabulary import new_id

from . import counts, feed, search
from .paging import newest_first
from .tables import message_readings, messages

# What a reading consists of, by the names that messages have it under.
READ = ("text", "charset", "charset_certain", "kind")
FIELDS = ("at", "actor", *READ)


def found(connection: Connection, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """These messages whole, those that are there, oldest first."""
    return connection.execute(_chosen(ids)).mappings().all()


def locked(connection: Connection, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """As ``found``, and for this transaction to change: whoever else wants to waits until it ends."""
    # Before the messages, as all do who change or delete some: else two could wait for each other.
    counts.hold(connection)
    return connection.execute(_chosen(ids).with_for_update()).mappings().all()


def replace(
    connection: Connection, message: RowMapping, reading: Mapping[Any, Any], *, at: datetime, actor: str
) -> None:
    """Give a message, which is locked, another reading (of READ's names); it is indexed and counted anew."""
    before = {name: message[name] for name in READ}
    connection.execute(
        insert(message_readings), {"id": new_id(), "message_id": message["id"], "at": at, "actor": actor, **before}
    )
    counts.take_back(connection, [message])
    search.forget(connection, [message])
    connection.execute(update(messages).where(messages.c.id == message["id"]).values(**reading))
    feed.touch(connection, [message["id"]])


def of_message(
    connection: Connection,
    message_id: UUID,
    *,
    older_than: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int | None = None,
) -> Sequence[RowMapping]:
    """A message's earlier readings, the one that was replaced last first."""
    chosen = select(message_readings).where(message_readings.c.message_id == message_id)
    if limit is None:
        return connection.execute(chosen.order_by(message_readings.c.id.desc())).mappings().all()
    return newest_first(
        connection, chosen, message_readings.c.id, older_than=older_than, newer_than=newer_than, limit=limit
    )


def _chosen(ids: Sequence[UUID]) -> Select[Any]:
    return select(messages).where(messages.c.id.in_(ids)).order_by(messages.c.id)
