"""Sends as they were asked for: stored with all their recipients, listed, and counted by what became of those."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, func, insert, select

from receiver.vocabulary import earliest_id

from .paging import newest_first
from .tables import send_batches, send_recipients, sends

# What a transaction is to those who pass it on and speak no SQL.
Transaction: TypeAlias = Connection

# As store.ranges: an id is made when its row is, give or take a clock that is set back.
_SLACK = timedelta(days=1)


class State(StrEnum):
    """What became of a recipient. ``SENDING`` is a queued one whose batch is with the gateway now."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    BLOCKED = "blocked"
    IN_DOUBT = "in_doubt"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sends: those that meet every condition given."""

    since: datetime | None = None
    until: datetime | None = None
    in_doubt: bool = False


def add(
    connection: Connection,
    send: Mapping[str, Any],
    recipients: Sequence[Mapping[str, Any]],
    *,
    batches: int,
    not_before: datetime,
) -> None:
    """Store a send: its row, its recipients' rows, and so many queued batches, numbered from 1."""
    connection.execute(insert(sends), send)
    if batches:
        queued = {"send_id": send["id"], "state": State.QUEUED, "not_before": not_before, "attempts": 0}
        connection.execute(insert(send_batches), [{**queued, "number": number} for number in range(1, batches + 1)])
    if recipients:
        connection.execute(insert(send_recipients), [{**row, "send_id": send["id"]} for row in recipients])


def get(connection: Connection, send_id: UUID) -> RowMapping | None:
    """One send."""
    return connection.execute(select(sends).where(sends.c.id == send_id)).mappings().one_or_none()


def states(connection: Connection, send_id: UUID) -> dict[str, tuple[int | None, str | None]]:
    """Everybody of a send by phone: the batch, None for who was blocked before there was one, and what is told."""
    chosen = select(send_recipients.c.phone, send_recipients.c.batch, send_recipients.c.detail)
    found = connection.execute(chosen.where(send_recipients.c.send_id == send_id))
    return {row.phone: (row.batch, row.detail) for row in found}


def page(
    connection: Connection,
    chosen: Filter,
    *,
    after: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """At most ``limit`` sends, newest first: the newest, those behind ``after``, or right before ``newer_than``."""
    statement = select(sends).where(*_conditions(chosen))
    return newest_first(connection, statement, sends.c.id, older_than=after, newer_than=newer_than, limit=limit)


# A recipient's state as people see it: whose batch is being sent is not waiting any more.
_state = case(
    (and_(send_recipients.c.state == State.QUEUED, send_batches.c.state == State.SENDING), State.SENDING.value),
    else_=send_recipients.c.state,
)
_with_batches = send_recipients.outerjoin(
    send_batches,
    and_(send_batches.c.send_id == send_recipients.c.send_id, send_batches.c.number == send_recipients.c.batch),
)


def counts(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How many recipients of each of these sends are in which state."""
    # Counted by batch first, from the index alone: of twenty thousand people there are some hundred batches to look up.
    columns = (send_recipients.c.send_id, send_recipients.c.batch, send_recipients.c.state)
    batches = (
        select(*columns, func.count().label("people"))
        .where(send_recipients.c.send_id.in_(ids))
        .group_by(*columns)
        .subquery()
    )
    is_sending = and_(batches.c.state == State.QUEUED, send_batches.c.state == State.SENDING)
    state = case((is_sending, State.SENDING.value), else_=batches.c.state).label("state")
    of_batch = and_(send_batches.c.send_id == batches.c.send_id, send_batches.c.number == batches.c.batch)
    statement = (
        select(batches.c.send_id, state, func.sum(batches.c.people).label("people"))
        .select_from(batches.outerjoin(send_batches, of_batch))
        .group_by(batches.c.send_id, state)
    )
    found: dict[UUID, dict[str, int]] = {send_id: {} for send_id in ids}
    for row in connection.execute(statement):
        found[row.send_id][row.state] = int(row.people)
    return found


def outcomes(connection: Connection, send_id: UUID) -> Sequence[RowMapping]:
    """How many recipients of a send are in which ``state``, with which ``code``: ``people``, most frequent first."""
    state = _state.label("state")
    people = func.count().label("people")
    statement = (
        select(state, send_recipients.c.code, people)
        .select_from(_with_batches)
        .where(send_recipients.c.send_id == send_id)
        .group_by(state, send_recipients.c.code)
        .order_by(people.desc(), state, send_recipients.c.code)
    )
    return connection.execute(statement).mappings().all()


def recipients(
    connection: Connection,
    send_id: UUID,
    *,
    state: State | None = None,
    unreached: bool = False,
    after: str | None = None,
    before: str | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """The first ``limit`` recipients of a send by phone, the first behind ``after``, or the last before ``before``.

    ``unreached`` are those who were not accepted and don't wait any more.
    """
    statement = (
        select(*[column for column in send_recipients.c if column.name != "state"], _state.label("state"))
        .select_from(_with_batches)
        .where(send_recipients.c.send_id == send_id)
        .limit(limit)
    )
    if state is not None:
        statement = statement.where(_state == state)
    if unreached:
        statement = statement.where(send_recipients.c.state.not_in([State.ACCEPTED, State.QUEUED]))
    if after is not None:
        statement = statement.where(send_recipients.c.phone > after)
    if before is not None:
        backwards = statement.where(send_recipients.c.phone < before).order_by(send_recipients.c.phone.desc())
        return list(connection.execute(backwards).mappings().all())[::-1]
    return connection.execute(statement.order_by(send_recipients.c.phone)).mappings().all()


def place_of(connection: Connection, send_id: UUID, phone: str) -> int:
    """Which one of a send's recipients this is by phone, counted from 1: it names somebody without the phone."""
    statement = select(func.count()).where(send_recipients.c.send_id == send_id, send_recipients.c.phone <= phone)
    return connection.scalar(statement) or 0


def phone_at(connection: Connection, send_id: UUID, place: int) -> str | None:
    """The phone at a place, as ``place_of`` counts; None where there is none. Who is in a send never changes."""
    statement = select(send_recipients.c.phone).where(send_recipients.c.send_id == send_id)
    return connection.scalar(statement.order_by(send_recipients.c.phone).offset(max(0, place - 1)).limit(1))


def to_phone(
    connection: Connection,
    phone: str,
    *,
    older_than: UUID | None = None,
    newer_than: UUID | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """At most ``limit`` sends that a phone is a recipient of, newest first, with the ``state`` and ``code`` of it."""
    statement = (
        select(
            *(sends.c[name] for name in ("id", "created_at", "actor", "text", "at")),
            send_recipients.c.code,
            send_recipients.c.detail,
            _state.label("state"),
        )
        .select_from(_with_batches.join(sends, sends.c.id == send_recipients.c.send_id))
        .where(send_recipients.c.phone == phone)
    )
    key = send_recipients.c.send_id
    return newest_first(connection, statement, key, older_than=older_than, newer_than=newer_than, limit=limit)


def _conditions(chosen: Filter) -> Iterator[ColumnElement[bool]]:
    if chosen.since is not None:
        yield sends.c.id >= earliest_id(chosen.since - _SLACK)
        yield sends.c.created_at >= chosen.since
    if chosen.until is not None:
        yield sends.c.created_at < chosen.until
    if chosen.in_doubt:
        yield sends.c.id.in_(select(send_recipients.c.send_id).where(send_recipients.c.state == State.IN_DOUBT))
