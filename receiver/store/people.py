"""Statements for people's accounts: who they are, their invitations, recovery codes, sessions, and failed logins."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from .tables import invitations, login_failures, people, sessions
from .tables import recovery_codes as codes
from .upsert import insert_or

Transaction: TypeAlias = Connection


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Store an account."""
    connection.execute(insert(people), row)


def get(connection: Connection, person_id: UUID) -> RowMapping | None:
    """An account by its id."""
    return connection.execute(select(people).where(people.c.id == person_id)).mappings().one_or_none()


def by_name(connection: Connection, folded: str) -> RowMapping | None:
    """An account by its folded name."""
    return connection.execute(select(people).where(people.c.folded == folded)).mappings().one_or_none()


def page(connection: Connection, *, after: str | None = None, limit: int) -> Sequence[RowMapping]:
    """The first ``limit`` accounts by folded name, or the first of those behind ``after``."""
    statement = select(people).order_by(people.c.folded).limit(limit)
    if after is not None:
        statement = statement.where(people.c.folded > after)
    return connection.execute(statement).mappings().all()


def any_with_password(connection: Connection) -> bool:
    """Whether anybody can log in."""
    found = select(people.c.id).where(people.c.password_hash.is_not(None), people.c.disabled_at.is_(None)).limit(1)
    return connection.execute(found).first() is not None


def any_active(connection: Connection, role: str) -> bool:
    """Whether anybody with this role can log in. Of two changes at once the second waits for the first."""
    active = people.c.password_hash.is_not(None), people.c.disabled_at.is_(None)
    found = select(people.c.id).where(people.c.role == role, *active).with_for_update()
    return connection.execute(found).first() is not None


def change(connection: Connection, person_id: UUID, **values: Any) -> None:
    """Set columns of an account."""
    connection.execute(update(people).where(people.c.id == person_id).values(**values))


def use_step(connection: Connection, person_id: UUID, step: int) -> bool:
    """Use up a code of the second factor; false where it, or a later one, was used before."""
    unused = or_(people.c.totp_step.is_(None), people.c.totp_step < step)
    changed = connection.execute(update(people).where(people.c.id == person_id, unused).values(totp_step=step))
    return changed.rowcount == 1


def add_recovery_codes(connection: Connection, person_id: UUID, hashes: Iterable[str]) -> None:
    """Store codes to recover with, by their hashes."""
    connection.execute(insert(codes), [{"person_id": person_id, "code_hash": each} for each in hashes])


def use_recovery_code(connection: Connection, person_id: UUID, code_hash: str) -> bool:
    """Use up a code; false where it is none that is left."""
    this = codes.c.person_id == person_id, codes.c.code_hash == code_hash
    return connection.execute(delete(codes).where(*this)).rowcount == 1


def recovery_codes(connection: Connection, person_id: UUID) -> Sequence[str]:
    """The hashes of the codes that an account has left."""
    return connection.execute(select(codes.c.code_hash).where(codes.c.person_id == person_id)).scalars().all()


def recovery_codes_left(connection: Connection, person_id: UUID) -> int:
    """How many codes an account has left."""
    counted = select(func.count()).select_from(codes).where(codes.c.person_id == person_id)
    return connection.scalar(counted) or 0


def end_recovery_codes(connection: Connection, person_id: UUID) -> None:
    """End every code of an account."""
    connection.execute(delete(codes).where(codes.c.person_id == person_id))


def add_invitation(
    connection: Connection, person_id: UUID, token_hash: str, at: datetime, expires_at: datetime
) -> None:
    """Store a link by its hash."""
    row = {"token_hash": token_hash, "person_id": person_id, "created_at": at, "expires_at": expires_at}
    connection.execute(insert(invitations), row)


def end_invitations(connection: Connection, person_id: UUID) -> bool:
    """End every link of an account; whether there was one."""
    return connection.execute(delete(invitations).where(invitations.c.person_id == person_id)).rowcount > 0


def invited(connection: Connection, token_hash: str, now: datetime) -> RowMapping | None:
    """The account whose link this is, while it lasts, with its end as ``link_ends_at``."""
    statement = (
        select(people, invitations.c.expires_at.label("link_ends_at"))
        .join(invitations, invitations.c.person_id == people.c.id)
        .where(invitations.c.token_hash == token_hash, invitations.c.expires_at > now)
    )
    return connection.execute(statement).mappings().one_or_none()


def add_session(connection: Connection, row: Mapping[str, Any]) -> None:
    """Store a session."""
    connection.execute(insert(sessions), row)


_with_people = select(
    people,
    sessions.c.id.label("session_id"),
    sessions.c.created_at.label("session_created_at"),
    sessions.c.last_seen_at,
    sessions.c.peer,
    sessions.c.agent,
).join(sessions, sessions.c.person_id == people.c.id)


def session(connection: Connection, token_hash: str) -> RowMapping | None:
    """A session with its account."""
    return connection.execute(_with_people.where(sessions.c.token_hash == token_hash)).mappings().one_or_none()


def sessions_of(connection: Connection, person_id: UUID) -> Sequence[RowMapping]:
    """An account's sessions, last used first."""
    statement = _with_people.where(people.c.id == person_id).order_by(sessions.c.last_seen_at.desc())
    return connection.execute(statement).mappings().all()


def seen(connection: Connection, session_id: UUID, at: datetime) -> None:
    """Say when a session was last used."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(last_seen_at=at))


def end_sessions(
    connection: Connection, person_id: UUID, session_id: UUID | None = None, *, but: UUID | None = None
) -> None:
    """End one session of an account, or all, or all but one."""
    statement = delete(sessions).where(sessions.c.person_id == person_id)
    if session_id is not None:
        statement = statement.where(sessions.c.id == session_id)
    if but is not None:
        statement = statement.where(sessions.c.id != but)
    connection.execute(statement)


def end_old_sessions(connection: Connection, *, idle_since: datetime, begun: datetime) -> None:
    """Remove sessions that were not used since, or began before."""
    connection.execute(delete(sessions).where(or_(sessions.c.last_seen_at < idle_since, sessions.c.created_at < begun)))


def failures(
    connection: Connection, counters: Iterable[str], at: datetime, *, forgotten: datetime
) -> Sequence[RowMapping]:
    """How often logins failed, by counter; of two at once the second waits here for the first's transaction.

    What was last counted before ``forgotten`` is gone.
    """
    connection.execute(delete(login_failures).where(login_failures.c.last_at < forgotten))
    # A row that is not there can't be locked: it is made before it is read.
    statement = insert_or(connection, login_failures)
    locked = statement.on_conflict_do_update(index_elements=["counter"], set_={"count": login_failures.c.count})
    wanted = sorted(counters)
    for counter in wanted:
        connection.execute(locked, {"counter": counter, "count": 0, "last_at": at})
    found = select(login_failures).where(login_failures.c.counter.in_(wanted))
    return connection.execute(found).mappings().all()


def count_failure(connection: Connection, counters: Iterable[str], at: datetime) -> None:
    """Count one more failure."""
    counted = update(login_failures).where(login_failures.c.counter.in_(list(counters)))
    connection.execute(counted.values(count=login_failures.c.count + 1, last_at=at))


def forget_failures(connection: Connection, counters: Iterable[str]) -> None:
    """Begin counting anew."""
    connection.execute(delete(login_failures).where(login_failures.c.counter.in_(list(counters))))
