"""Ends of a send without an answer: refused like another batch, cancelled, put in doubt, or settled by a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update

from .send_batches import ANSWERED, end_queued
from .sends import State
from .tables import send_batches, send_recipients, sends


def refuse_queued(connection: Connection, send_id: UUID, code: int, detail: str, now: datetime) -> int:
    """Refuse what nobody has claimed of a send, with the code that refused another batch of it; how many people.

    What others have claimed is refused too where it comes back unsent.
    """
    return _end(connection, send_id, ended_at=now, ended_as=State.REFUSED, ended_code=code, ended_detail=detail)


def cancel(connection: Connection, send_id: UUID, *, actor: str, reason: str, now: datetime) -> int:
    """Take off the queue what nobody has claimed of a send; how many people.

    What others have claimed is cancelled too where it comes back unsent.
    """
    return _end(connection, send_id, ended_at=now, ended_as=State.CANCELLED, ended_detail=reason, ended_by=actor)


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


def doubt_open(connection: Connection, detail: str) -> int:
    """Put in doubt what is queued or being sent, of all sends; how many people."""
    opened = connection.execute(
        update(send_batches)
        .where(send_batches.c.state.in_([State.QUEUED, State.SENDING]))
        .values(state=State.IN_DOUBT, detail=detail)
        .returning(send_batches.c.send_id, send_batches.c.number)
    ).all()
    people = 0
    for send_id, number in opened:
        in_batch = send_recipients.c.send_id == send_id, send_recipients.c.batch == number
        people += connection.execute(
            update(send_recipients)
            .where(*in_batch, send_recipients.c.state == State.QUEUED)
            .values(state=State.IN_DOUBT, detail=detail)
        ).rowcount
    return people


def _end(connection: Connection, send_id: UUID, **ended: Any) -> int:
    # The send's row first, as who gives a batch back locks it: it is either back already, or finds the send ended.
    connection.execute(update(sends).where(sends.c.id == send_id, sends.c.ended_at.is_(None)).values(**ended))
    return end_queued(connection, send_id)
