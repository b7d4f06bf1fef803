"""Statements for erasure: what is stored of what one subscriber wrote, and of the texts that went there."""

import secrets
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from .removal import remove_messages
from .sends import State
from .tables import messages, quarantine, send_recipients, sends

# Ids of one statement: no database takes any number of parameters.
_AT_ONCE = 1_000
_OPEN = (State.QUEUED, State.IN_DOUBT)


def quarantined(connection: Connection, *, behind: UUID, limit: int) -> Sequence[RowMapping]:
    """Quarantined deliveries with their bytes, the oldest behind an id."""
    shown = select(quarantine.c.id, quarantine.c.raw, quarantine.c.unsubscribes)
    return (
        connection.execute(shown.where(quarantine.c.id > behind).order_by(quarantine.c.id).limit(limit))
        .mappings()
        .all()
    )


def erase_messages(connection: Connection, senders: Collection[str]) -> int:
    """Delete every message of these senders, with their readings and what search has; how many."""
    ids = connection.scalars(select(messages.c.id).where(messages.c.src.in_(senders)).order_by(messages.c.id)).all()
    return sum(remove_messages(connection, ids[start : start + _AT_ONCE]) for start in range(0, len(ids), _AT_ONCE))


def erase_quarantined(connection: Connection, ids: Sequence[UUID]) -> int:
    """Delete these quarantined deliveries; how many."""
    parts = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
    return sum(connection.execute(delete(quarantine).where(quarantine.c.id.in_(part))).rowcount for part in parts)


def erase_recipients(connection: Connection, phones: Collection[str]) -> int:
    """Take these phones out of every send that has nothing open for them; how many places.

    Each stands there under a word of its own, with what became of it, so that the counts stay right. A text that went
    to nobody else is taken out too.
    """
    found = connection.execute(
        select(send_recipients.c.send_id, send_recipients.c.phone)
        .where(send_recipients.c.phone.in_(phones), send_recipients.c.state.not_in(_OPEN))
        .with_for_update()
    ).all()
    for row in found:
        connection.execute(
            update(send_recipients)
            .where(send_recipients.c.send_id == row.send_id, send_recipients.c.phone == row.phone)
            .values(phone=f"erased-{secrets.token_hex(8)}", written="", detail=None, settled_reason=None)
        )
        people = select(func.count()).where(send_recipients.c.send_id == sends.c.id).scalar_subquery()
        connection.execute(update(sends).where(sends.c.id == row.send_id, people == 1).values(text=""))
    return len(found)


def open_recipients(connection: Connection, phones: Collection[str]) -> int:
    """In how many sends something is queued, under way or in doubt for these phones."""
    chosen = send_recipients.c.phone.in_(phones), send_recipients.c.state.in_(_OPEN)
    return connection.scalar(select(func.count()).select_from(send_recipients).where(*chosen)) or 0
