"""Statements for monitoring: how much there is, what waits, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, text

from receiver.vocabulary.durations import Summary, summary
from receiver.vocabulary.periods import hour_of, quarter_of

from . import acknowledged, clocks, ledger, optouts, quarantine, tasks
from .sends import State
from .tables import message_counts, send_batches, send_recipients
from .tasks import Standing

_SIZE = {
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
    "postgresql": text("SELECT pg_database_size(current_database())"),
}


@dataclass(frozen=True, slots=True)
class Operating:
    """How things stand. ``batches`` are those that are queued and those that are with the gateway."""

    optouts: int
    events: int
    is_ledger_intact: bool
    quarantined: int
    batches: Mapping[str, int]
    due_since: datetime | None
    in_doubt: int
    tasks: Sequence[Standing]
    last_reply: datetime | None
    busy: Sequence[int]
    """The quarters of an hour in which somebody replied, in order."""
    acknowledged: Summary | None
    """Of this hour and the one before."""
    server_time: datetime | None
    size: int


def operating(connection: Connection, now: datetime, *, busy_for: timedelta) -> Operating:
    """The present state, and for how long back who replied. Within ``Store.snapshot``; takes no lock."""
    events, is_intact = ledger.end(connection)
    this_hour = hour_of(now)
    return Operating(
        optouts=optouts.count(connection),
        events=events,
        is_ledger_intact=is_intact,
        quarantined=quarantine.count(connection, quarantine.Filter(replayed=False)),
        batches=_batches(connection),
        due_since=_due_since(connection, now),
        in_doubt=_in_doubt(connection),
        tasks=tasks.every_standing(connection),
        last_reply=clocks.of_newest_reply(connection),
        busy=_busy(connection, quarter_of(now - busy_for)),
        acknowledged=summary(acknowledged.spreads(connection, this_hour - 1, this_hour)),
        server_time=clocks.of_server(connection),
        size=connection.execute(_SIZE[connection.dialect.name]).scalar_one(),
    )


def _batches(connection: Connection) -> Mapping[str, int]:
    waiting = (State.QUEUED, State.SENDING)
    state = send_batches.c.state
    found = connection.execute(select(state, func.count().label("many")).where(state.in_(waiting)).group_by(state))
    return dict.fromkeys(map(str, waiting), 0) | {row.state: row.many for row in found}


def _due_since(connection: Connection, now: datetime) -> datetime | None:
    queued, due = send_batches.c.state == State.QUEUED, send_batches.c.not_before
    since: datetime | None = connection.scalar(select(func.min(due)).where(queued, due <= now))
    return since


def _in_doubt(connection: Connection) -> int:
    doubtful = send_recipients.c.state == State.IN_DOUBT
    return connection.scalar(select(func.count()).select_from(send_recipients).where(doubtful)) or 0


def _busy(connection: Connection, since: int) -> Sequence[int]:
    quarter = message_counts.c.quarter
    came = message_counts.c.replies + message_counts.c.unsubscribes > 0
    return connection.scalars(select(quarter).where(quarter >= since, came).distinct().order_by(quarter)).all()
