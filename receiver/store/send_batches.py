"""Batches on their way: claimed by one process, and settled by that one's answer, by time, or by a person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from .sends import State
from .tables import send_batches, send_recipients, sends

ANSWERED = "answered"
# What a recipient may still be changed from by an answer; what a person has settled is neither.
_UNSETTLED = send_recipients.c.state.in_([State.QUEUED, State.IN_DOUBT])


@dataclass(frozen=True, slots=True)
class Claimed:
    """A batch that one process has for itself: what to send, and to whom (identity and how it came)."""

    send_id: UUID
    number: int
    claim: UUID
    attempts: int
    actor: str
    text: str = field(repr=False)
    at: datetime | None
    sender: str | None
    is_long: bool
    phones: tuple[tuple[str, str], ...] = field(repr=False)


def due(connection: Connection, now: datetime) -> bool:
    """Whether a batch could be claimed now, or one is there whose process has died with it."""
    statement = select(send_batches.c.number).where(or_(_due(now, None), _lost(now))).limit(1)
    return connection.execute(statement).first() is not None


def claimable(connection: Connection, now: datetime, send_id: UUID | None = None) -> bool:
    """Whether ``claim`` would most likely find a batch."""
    statement = select(send_batches.c.number).where(_due(now, send_id)).limit(1)
    return connection.execute(statement).first() is not None


def lost(connection: Connection, now: datetime) -> bool:
    """Whether there is a batch whose process has died with it."""
    return connection.execute(select(send_batches.c.number).where(_lost(now)).limit(1)).first() is not None


def unfinished(connection: Connection, now: datetime, send_id: UUID) -> bool:
    """Whether a batch of this send is being sent, or could be."""
    sending = and_(send_batches.c.send_id == send_id, send_batches.c.state == State.SENDING)
    statement = select(send_batches.c.number).where(or_(_due(now, send_id), sending)).limit(1)
    return connection.execute(statement).first() is not None


def dealt_with(connection: Connection, send_id: UUID) -> tuple[int, int]:
    """How many recipients of a send are neither queued nor being sent, and how many there are."""
    waiting = func.count().filter(send_recipients.c.state == State.QUEUED)
    row = connection.execute(
        select(func.count(), waiting).select_from(send_recipients).where(send_recipients.c.send_id == send_id)
    ).one()
    return row[0] - row[1], row[0]


def claim(
    connection: Connection, *, claim: UUID, now: datetime, lease_until: datetime, send_id: UUID | None = None
) -> Claimed | None:
    """Take the next batch that is due, of one send or of all; None where there is none that nobody else takes."""
    while True:
        taken = connection.execute(
            select(send_batches.c.send_id, send_batches.c.number, send_batches.c.attempts)
            .where(_due(now, send_id))
            .order_by(send_batches.c.not_before, send_batches.c.send_id, send_batches.c.number)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if taken is None:
            return None
        send = connection.execute(select(sends).where(sends.c.id == taken.send_id)).one()
        if send.ended_at is None:
            break
        # Queued all the same: a process of the release before, which knew no ends, has given it back.
        end_queued(connection, taken.send_id)
    connection.execute(
        update(send_batches)
        .where(_is(taken.send_id, taken.number))
        .values(state=State.SENDING, claim=claim, lease_until=lease_until)
    )
    phones = connection.execute(
        select(send_recipients.c.phone, send_recipients.c.written)
        .where(_in(taken.send_id, taken.number), send_recipients.c.state == State.QUEUED)
        .order_by(send_recipients.c.phone)
    )
    return Claimed(
        send_id=taken.send_id,
        number=taken.number,
        claim=claim,
        attempts=taken.attempts,
        actor=send.actor,
        text=send.text,
        at=send.at,
        sender=send.sender,
        is_long=send.is_long,
        phones=tuple((row.phone, row.written) for row in phones),
    )


def block(connection: Connection, batch: Claimed, reasons: Mapping[str, str]) -> Claimed:
    """The claimed batch without those who may not be texted: phone and reason."""
    for phone, reason in reasons.items():
        connection.execute(
            update(send_recipients)
            .where(send_recipients.c.send_id == batch.send_id, send_recipients.c.phone == phone)
            .values(state=State.BLOCKED, detail=reason)
        )
    return replace(batch, phones=tuple((phone, came) for phone, came in batch.phones if phone not in reasons))


def answered(
    connection: Connection,
    batch: Claimed,
    fates: Iterable[tuple[Sequence[str], Mapping[str, Any]]],
    *,
    now: datetime,
    code: int | None = None,
    detail: str | None = None,
) -> bool:
    """Record what became of a claimed batch: for each of ``fates`` its phones, and their state, code and detail.

    Also when the answer comes late and the batch is in doubt already; but nothing that a person settled is changed.
    False where the claim is no longer this one's, or nothing is open: then nothing was changed.
    """
    held = connection.execute(
        select(send_batches.c.number)
        .where(_held(batch), send_batches.c.state.in_([State.SENDING, State.IN_DOUBT]))
        .with_for_update()
    ).one_or_none()
    if held is None:
        return False
    for phones, values in fates:
        connection.execute(
            update(send_recipients)
            .where(_in(batch.send_id, batch.number), send_recipients.c.phone.in_(phones), _UNSETTLED)
            .values(**values)
        )
    connection.execute(
        update(send_batches)
        .where(_held(batch))
        .values(state=_end_of(connection, batch), answered_at=now, code=code, detail=detail)
    )
    return True


def give_back(
    connection: Connection, batch: Claimed, *, now: datetime, not_before: datetime | None, attempts: int, detail: str
) -> None:
    """Queue a claimed batch again of which nothing reached the gateway; ``not_before`` as it was where that is None.

    Where others had put it in doubt meanwhile it stays unsent for good: a person may have dealt with it. Where the send
    was ended meanwhile, it ends as that did.
    """
    # Locked against who ends the send: either that finds the batch queued, or this finds the send ended.
    connection.execute(select(sends.c.id).where(sends.c.id == batch.send_id).with_for_update())
    later = {} if not_before is None else {"not_before": not_before}
    returned = connection.execute(
        update(send_batches)
        .where(_held(batch), send_batches.c.state == State.SENDING)
        .values(state=State.QUEUED, claim=None, lease_until=None, attempts=attempts, detail=detail, **later)
    ).rowcount
    if returned == 0:
        phones = [phone for phone, _ in batch.phones]
        unsent = {"state": State.CANCELLED, "code": None, "detail": detail}
        answered(connection, batch, [(phones, unsent)], now=now, detail=detail)
        return
    end_queued(connection, batch.send_id)


def end_queued(connection: Connection, send_id: UUID) -> int:
    """End what is queued of a send that was ended, as it was; how many people. Nothing where it was not."""
    send = connection.execute(select(sends).where(sends.c.id == send_id, sends.c.ended_at.is_not(None))).one_or_none()
    if send is None:
        return 0
    if send.ended_as == State.CANCELLED:
        batch: dict[str, Any] = {"state": State.CANCELLED}
        settled = {"settled_at": send.ended_at, "settled_by": send.ended_by, "settled_reason": send.ended_detail}
        recipient: dict[str, Any] = {"state": State.CANCELLED, **settled}
    else:
        recipient = {"state": State.REFUSED, "code": send.ended_code, "detail": send.ended_detail}
        batch = {**recipient, "state": ANSWERED, "answered_at": send.ended_at}
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


def expire(connection: Connection, now: datetime, detail: str) -> int:
    """Put batches in doubt whose process has not answered within its lease: it died, and may have sent. How many."""
    lost = connection.execute(
        update(send_batches)
        .where(_lost(now))
        .values(state=State.IN_DOUBT, detail=detail)
        .returning(send_batches.c.send_id, send_batches.c.number)
    ).all()
    for row in lost:
        connection.execute(
            update(send_recipients)
            .where(_in(row.send_id, row.number), send_recipients.c.state == State.QUEUED)
            .values(state=State.IN_DOUBT, detail=detail)
        )
    return len(lost)


def _due(now: datetime, send_id: UUID | None) -> ColumnElement[bool]:
    if send_id is None:
        return and_(send_batches.c.state == State.QUEUED, send_batches.c.not_before <= now)
    # Who asks for one send does not wait for the time of the next try: only a held one waits for its time.
    due = or_(send_batches.c.not_before <= now, send_batches.c.attempts > 0)
    return and_(send_batches.c.state == State.QUEUED, send_batches.c.send_id == send_id, due)


def _lost(now: datetime) -> ColumnElement[bool]:
    return and_(send_batches.c.state == State.SENDING, send_batches.c.lease_until < now)


def _is(send_id: UUID, number: int) -> ColumnElement[bool]:
    return and_(send_batches.c.send_id == send_id, send_batches.c.number == number)


def _held(batch: Claimed) -> ColumnElement[bool]:
    return and_(_is(batch.send_id, batch.number), send_batches.c.claim == batch.claim)


def _in(send_id: UUID, number: int) -> ColumnElement[bool]:
    return and_(send_recipients.c.send_id == send_id, send_recipients.c.batch == number)


def _end_of(connection: Connection, batch: Claimed) -> str:
    open_ones = select(func.count()).where(_in(batch.send_id, batch.number), send_recipients.c.state == State.IN_DOUBT)
    return State.IN_DOUBT if connection.scalar(open_ones) else ANSWERED
