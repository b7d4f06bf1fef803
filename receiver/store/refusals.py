"""Statements for refused sources: how often, since when, and how many of their deliveries are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Executable, RowMapping, func, select

from receiver.vocabulary import Reason

from .tables import quarantine, refusals
from .upsert import insert_or

REFUSED = (Reason.SOURCE, Reason.TOKEN)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often one source was refused for one reason, from when to when."""

    peer: str
    reason: Reason
    count: int
    first_at: datetime
    last_at: datetime


def add(connection: Connection, counted: Sequence[Refusal], *, limit: int, other: str) -> None:
    """Add to the counts; sources beyond ``limit`` rows are counted under ``other``."""
    known = set(connection.scalars(select(refusals.c.peer).distinct()))
    for refusal in counted:
        peer = refusal.peer if refusal.peer in known or len(known) < limit else other
        known.add(peer)
        connection.execute(
            _upsert(connection),
            {
                "peer": peer,
                "reason": refusal.reason,
                "count": refusal.count,
                "first_at": refusal.first_at,
                "last_at": refusal.last_at,
            },
        )


def most_recent(connection: Connection, limit: int) -> Sequence[RowMapping]:
    """Refused sources, the most recent first."""
    return connection.execute(select(refusals).order_by(refusals.c.last_at.desc()).limit(limit)).mappings().all()


def kept(connection: Connection) -> dict[str, int]:
    """How many refused deliveries are in quarantine and not replayed, by source."""
    statement = (
        select(quarantine.c.peer, func.count().label("kept"))
        .where(quarantine.c.reason.in_(REFUSED), quarantine.c.replayed_at.is_(None))
        .group_by(quarantine.c.peer)
    )
    return {row.peer: row.kept for row in connection.execute(statement)}


def _upsert(connection: Connection) -> Executable:
    statement = insert_or(connection, refusals)
    changes = {"count": refusals.c.count + statement.excluded.count, "last_at": statement.excluded.last_at}
    return statement.on_conflict_do_update(index_elements=["peer", "reason"], set_=changes)
