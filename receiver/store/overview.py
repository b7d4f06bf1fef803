"""Statements for the status page: a handful of numbers, each by an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, RowMapping, Select, func, select

from receiver.vocabulary import Kind, earliest_id

from . import refusals
from .tables import messages, optouts, quarantine

_REFUSED_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is now; the counts are of the last 24 hours unless they say otherwise."""

    replies: int
    unsubscribes: int
    last: RowMapping | None
    quarantined: int
    optouts: int
    refused: Sequence[RowMapping]


def overview(connection: Connection) -> Overview:
    """The present state."""
    day_ago = earliest_id(datetime.now(UTC) - timedelta(hours=24))
    today = select(func.count()).where(messages.c.id >= day_ago)
    last = select(messages.c.received_at, messages.c.peer).order_by(messages.c.id.desc()).limit(1)
    waiting = select(func.count()).select_from(quarantine).where(quarantine.c.replayed_at.is_(None))
    return Overview(
        replies=_count(connection, today),
        unsubscribes=_count(connection, today.where(messages.c.kind == Kind.UNSUBSCRIBE)),
        last=connection.execute(last).mappings().one_or_none(),
        quarantined=_count(connection, waiting),
        optouts=_count(connection, select(func.count()).select_from(optouts)),
        refused=refusals.most_recent(connection, _REFUSED_SHOWN),
    )


def _count(connection: Connection, statement: Select[int]) -> int:
    return connection.scalar(statement) or 0
