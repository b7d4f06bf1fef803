"""Statements for the work that workers share: whose turn it is, taken by one of them at a time, and how it went."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, RowMapping, Update, func, select, update

from .tables import tasks
from .upsert import insert_or

Clock = Callable[[], datetime]
"""What time it is (aware), in place of the database's clock."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a task stands. ``turns`` counts its changes, so that two looks with the same number saw the same.

    ``now`` is when it was looked at, by the clock that set the other times.
    """

    name: str
    turns: int
    holder: str | None
    lease_until: datetime | None
    next_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failed_at: datetime | None
    failures: int
    error: str | None
    detail: str | None
    now: datetime


def standing(connection: Connection, name: str, clock: Clock | None = None) -> Standing | None:
    """How the task ``name`` stands; None where nobody has ever begun it."""
    row = connection.execute(select(tasks).where(tasks.c.name == name)).mappings().one_or_none()
    return None if row is None else _standing(row, _now(connection, clock))


def every_standing(connection: Connection, clock: Clock | None = None) -> Sequence[Standing]:
    """How every task stands that was ever begun, by name."""
    rows = connection.execute(select(tasks).order_by(tasks.c.name)).mappings().all()
    now = _now(connection, clock)
    return [_standing(row, now) for row in rows]


def claim(
    connection: Connection, name: str, seen: int | None, holder: str, lease: float, clock: Clock | None = None
) -> int | None:
    """Take the task for ``lease`` seconds, if it still stands as ``seen`` (its turns; None: it did not exist).

    The turns after this, which whoever holds it must name; None where another was faster. Whether the task may be
    taken is for the caller to tell from how it stands.
    """
    now = _now(connection, clock)
    taken = {"holder": holder, "lease_until": now + timedelta(seconds=lease), "started_at": now}
    if seen is None:
        new = insert_or(connection, tasks).values(name=name, turns=1, next_at=now, failures=0, **taken)
        return 1 if connection.execute(new.on_conflict_do_nothing().returning(tasks.c.turns)).first() else None
    unchanged = update(tasks).where(tasks.c.name == name, tasks.c.turns == seen)
    return seen + 1 if _changes(connection, unchanged.values(turns=seen + 1, **taken)) else None


def renew(
    connection: Connection,
    name: str,
    turns: int,
    lease: float,
    *,
    well: bool = False,
    detail: str | None = None,
    clock: Clock | None = None,
) -> bool:
    """Keep the task for ``lease`` seconds from now; false where the lease has run out or another has it.

    ``well``: something of it was done meanwhile, and ``detail`` says what.
    """
    now = _now(connection, clock)
    kept = _held(name, turns, now).values(turns=turns + 1, lease_until=now + timedelta(seconds=lease), started_at=now)
    if well:
        kept = kept.values(finished_at=now, failures=0, error=None, detail=detail)
    return _changes(connection, kept)


def finish(
    connection: Connection,
    name: str,
    turns: int,
    again_after: float,
    *,
    error: str | None = None,
    detail: str | None = None,
    clock: Clock | None = None,
) -> bool:
    """Give the task back, to be taken again ``again_after`` seconds from now; false, and nothing, where it was lost."""
    now = _now(connection, clock)
    given_back = _held(name, turns, now).values(
        turns=turns + 1, holder=None, lease_until=None, finished_at=now, next_at=now + timedelta(seconds=again_after)
    )
    if error is None:
        given_back = given_back.values(failures=0, error=None, detail=detail)
    else:
        given_back = given_back.values(failures=tasks.c.failures + 1, error=error, failed_at=now)
    return _changes(connection, given_back)


def _held(name: str, turns: int, now: datetime) -> Update:
    # Its turns name its holder: whoever takes it counts them up.
    return update(tasks).where(tasks.c.name == name, tasks.c.turns == turns, tasks.c.lease_until > now)


def _changes(connection: Connection, statement: Update) -> bool:
    return connection.execute(statement).rowcount == 1


def _now(connection: Connection, clock: Clock | None) -> datetime:
    """PostgreSQL's clock, which is the same for all machines; on SQLite there is only this one."""
    if clock is not None:
        return clock()
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    # The moment itself: now() would be when the transaction began, before it waited for anything.
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now.astimezone(UTC)


def _standing(row: RowMapping, now: datetime) -> Standing:
    return Standing(**row, now=now)
