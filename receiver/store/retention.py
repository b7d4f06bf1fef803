"""Statements for retention: what is older than it may be, oldest first, and what of that has to stay."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, exists, func, or_, select

from .ranges import at_between, received
from .removal import is_evidence, remove_messages
from .sends import State
from .tables import messages, quarantine, refusals, send_batches, send_recipients, sends

_OPEN_BATCH = exists().where(
    send_batches.c.send_id == sends.c.id,
    send_batches.c.state.in_([State.QUEUED, State.SENDING, State.IN_DOUBT]),
)
_OPEN_RECIPIENT = exists().where(
    send_recipients.c.send_id == sends.c.id, send_recipients.c.state.in_([State.QUEUED, State.IN_DOUBT])
)


def old_messages(connection: Connection, before: datetime, *, behind: UUID, limit: int) -> Sequence[tuple[UUID, bool]]:
    """The oldest ``limit`` messages behind an id that were received before a moment, and whether each has to stay."""
    old = select(messages.c.id, is_evidence).where(messages.c.id > behind, *received(messages, None, before))
    return [(row[0], bool(row[1])) for row in connection.execute(old.order_by(messages.c.id).limit(limit))]


def purge_messages(connection: Connection, ids: Collection[UUID]) -> int:
    """Delete those of these messages that are no evidence of a stop; how many."""
    return remove_messages(connection, ids, ~is_evidence)


def old_quarantined(
    connection: Connection, before: datetime, *, behind: UUID, limit: int
) -> Sequence[tuple[UUID, bool]]:
    """As ``old_messages``, of quarantined deliveries: one that said stop has to stay."""
    said_stop = quarantine.c.unsubscribes.is_not(None)
    old = select(quarantine.c.id, said_stop).where(quarantine.c.id > behind, *received(quarantine, None, before))
    return [(row[0], bool(row[1])) for row in connection.execute(old.order_by(quarantine.c.id).limit(limit))]


def purge_quarantined(connection: Connection, ids: Collection[UUID]) -> int:
    """Delete those of these quarantined deliveries that said no stop; how many."""
    gone = delete(quarantine).where(quarantine.c.id.in_(ids), quarantine.c.unsubscribes.is_(None))
    return connection.execute(gone).rowcount


def has_old_refusals(connection: Connection, before: datetime) -> bool:
    """Whether there is a source that was refused last before this."""
    return connection.execute(select(refusals.c.peer).where(refusals.c.last_at < before).limit(1)).first() is not None


def purge_refusals(connection: Connection, before: datetime) -> int:
    """Forget sources that were refused last before this; how many."""
    return connection.execute(delete(refusals).where(refusals.c.last_at < before)).rowcount


def old_sends(connection: Connection, before: datetime, *, behind: UUID, limit: int) -> Sequence[tuple[UUID, bool]]:
    """As ``old_messages``, of sends whose time was before: one has to stay while something of it is open."""
    time = func.coalesce(sends.c.at, sends.c.created_at, type_=sends.c.at.type)
    is_open = or_(_OPEN_BATCH, _OPEN_RECIPIENT)
    old = select(sends.c.id, is_open).where(
        sends.c.id > behind, *at_between(sends, sends.c.created_at, None, before), time < before
    )
    return [(row[0], bool(row[1])) for row in connection.execute(old.order_by(sends.c.id).limit(limit))]
