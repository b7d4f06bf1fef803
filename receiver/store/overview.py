"""Statements for the overview: a handful of numbers, each by an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Select, func, select

from receiver.vocabulary.periods import quarter_of

from . import counts, refusals
from .tables import messages, optouts, quarantine

_REFUSED_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is now; replies and unsubscribes are those since a moment."""

    replies: int
    unsubscribes: int
    last: RowMapping | None
    quarantined: int
    optouts: int
    refused: Sequence[RowMapping]


def overview(connection: Connection, *, since: datetime, now: datetime) -> Overview:
    """The present state. In a transaction whose statements all see the same (``Store.snapshot``)."""
    today = sum(counts.by_service(connection, quarter_of(since), quarter_of(now) + 1).values(), counts.Count())
    last = select(messages.c.received_at, messages.c.peer).order_by(messages.c.id.desc()).limit(1)
    waiting = select(func.count()).select_from(quarantine).where(quarantine.c.replayed_at.is_(None))
    return Overview(
        replies=today.replies + today.unsubscribes,
        unsubscribes=today.unsubscribes,
        last=connection.execute(last).mappings().one_or_none(),
        quarantined=_count(connection, waiting),
        optouts=_count(connection, select(func.count()).select_from(optouts)),
        refused=refusals.most_recent(connection, _REFUSED_SHOWN),
    )


def _count(connection: Connection, statement: Select[int]) -> int:
    return connection.scalar(statement) or 0
