"""Ends of a send without an answer: refused like another batch, cancelled, or settled by a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update

from .send_batches import ANSWERED
from .sends import State
from .tables import send_batches, send_recipients


def refuse_queued(connection: Connection, send_id: UUID, code: int, detail: str, now: datetime) -> int:
    """Refuse what nobody has claimed of a send, with the code that refused another batch of it; how many people."""
    batch = {"state": ANSWERED, "code": code, "detail": detail, "answered_at": now}
    return _end_queued(connection, send_id, batch, {"state": State.REFUSED, "code": code, "detail": detail})


def cancel(connection: Connection, send_id: UUID, *, actor: str, reason: str, now: datetime) -> int:
    """Take off the queue what nobody has claimed of a send; how many people."""
    settled = {"settled_at": now, "settled_by": actor, "settled_reason": reason}
    return _end_queued(connection, send_id, {"state": State.CANCELLED}, {"state": State.CANCELLED, **settled})


def settle(connection: Connection, send_id: UUID, phones: Sequence[str] | None, values: Mapping[str, Any]) -> int:
    """Give recipients that are in doubt these values, all or those of ``phones``; how many."""
    chosen = [send_recipients.c.send_id == send_id, send_recipients.c.state == State.IN_DOUBT]
    if phones is not None:
        chosen.append(send_recipients.c.phone.in_(phones))
    settled = connection.execute(update(send_recipients).where(*chosen).values(**values)).rowcount
    still = select(send_recipients.c.batch).where(
        send_recipients.c.send_id == send_id, send_recipients.c.state == State.IN_DOUBT
    )
    connection.execute(
        update(send_batches)
        .where(
            send_batches.c.send_id == send_id,
            send_batches.c.state == State.IN_DOUBT,
            send_batches.c.number.not_in(still),
        )
        .values(state=ANSWERED)
    )
    return settled


def _end_queued(connection: Connection, send_id: UUID, batch: Mapping[str, Any], recipient: Mapping[str, Any]) -> int:
    taken = connection.scalars(
        update(send_batches)
        .where(send_batches.c.send_id == send_id, send_batches.c.state == State.QUEUED)
        .values(**batch)
        .returning(send_batches.c.number)
    ).all()
    if not taken:
        return 0
    return connection.execute(
        update(send_recipients)
        .where(
            send_recipients.c.send_id == send_id,
            send_recipients.c.state == State.QUEUED,
            send_recipients.c.batch.in_(taken),
        )
        .values(**recipient)
    ).rowcount
