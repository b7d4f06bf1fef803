"""Statements that take messages and sends out of the database, with everything that hangs on them."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, exists, select

from . import counts, search
from .tables import (
    ledger,
    message_readings,
    messages,
    pulled_replies,
    search_state,
    send_batches,
    send_recipients,
    sends,
)

# Of a message, what it takes to find all that hangs on it.
_NEEDED = [*search.INDEXED, messages.c.received_at, messages.c.position, messages.c.gateway_id]

# That an event of the ledger names a message: it is the evidence of a stop. By the index that the ledger has anyway.
is_evidence = exists().where(ledger.c.phone == messages.c.src, ledger.c.message_id == messages.c.id)


def remove_messages(connection: Connection, ids: Collection[UUID], *where: ColumnElement[bool]) -> int:
    """Delete those of these messages that meet ``where``, with their readings and what search has; how many.

    They stay counted (``store.counts``).
    """
    if connection.dialect.name == "postgresql":
        # Before the index's own statements, which take this lock first: it would keep what it had just read.
        connection.execute(select(search_state.c.id).with_for_update())
    counts.hold(connection)
    chosen = select(*_NEEDED).where(messages.c.id.in_(ids), *where).order_by(messages.c.id)
    rows = connection.execute(chosen.with_for_update(of=messages)).mappings().all()
    if not rows:
        return 0
    counts.keep(connection, rows)
    search.forget(connection, rows)
    gone = [row["id"] for row in rows]
    connection.execute(delete(message_readings).where(message_readings.c.message_id.in_(gone)))
    if pulled := [row["gateway_id"] for row in rows if row["gateway_id"] is not None]:
        connection.execute(
            delete(pulled_replies).where(pulled_replies.c.gateway_id.in_(pulled), pulled_replies.c.message_id.in_(gone))
        )
    return connection.execute(delete(messages).where(messages.c.id.in_(gone))).rowcount


def remove_recipients(connection: Connection, send_id: UUID, *, limit: int) -> int:
    """Delete ``limit`` recipients of a send; how many. Of a send that has none left the rest is deleted too."""
    some = select(send_recipients.c.phone).where(send_recipients.c.send_id == send_id).limit(limit)
    of_send: Any = send_recipients.c.send_id == send_id
    count = connection.execute(delete(send_recipients).where(of_send, send_recipients.c.phone.in_(some))).rowcount
    if count < limit:
        connection.execute(delete(send_batches).where(send_batches.c.send_id == send_id))
        connection.execute(delete(sends).where(sends.c.id == send_id))
    return count
