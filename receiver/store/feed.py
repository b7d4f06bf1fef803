"""The feed: messages in the order in which they were committed, so that who reads on from a place misses none.

A position is when a message last changed: one that is decoded anew comes by again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    update,
)

from .tables import messages

NOBODY = UUID(int=0)
# In these very words, so that every plan may use the index that has them.
_HAS_PLACE = messages.c.position > literal_column("0")
# As PostgreSQL counts transactions; after a dump is read into another cluster that counts from less, with an offset.
POSITION_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION receiver_position() RETURNS bigint LANGUAGE sql VOLATILE "
    "RETURN pg_current_xact_id()::text::bigint + {offset}"
)
# Below it every transaction has ended: nothing can become visible there any more.
HORIZON_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION receiver_horizon() RETURNS bigint LANGUAGE sql STABLE "
    "RETURN pg_snapshot_xmin(pg_current_snapshot())::text::bigint + {offset}"
)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Up to where somebody has read: nothing at or before it comes again, unless it changes."""

    position: int = 0
    message_id: UUID = NOBODY

    def __str__(self) -> str:
        return f"{self.position}-{self.message_id.hex}"

    @classmethod
    def of(cls, written: str) -> "Place":
        """The place that ``str`` wrote. Raises ValueError."""
        position, dash, message_id = written.partition("-")
        if not dash or not position.isascii() or not position.isdigit() or len(position) > 18 or len(message_id) != 32:
            raise ValueError("this is no place in the feed")
        return cls(int(position), UUID(message_id))


def after(
    connection: Connection, place: Place, columns: Sequence[ColumnElement[object]], *, limit: int
) -> Sequence[RowMapping]:
    """The next ``limit`` messages behind ``place``, with their ``position`` and ``id`` besides ``columns``."""
    shown = select(messages.c.position, *columns)
    found: list[RowMapping] = []
    if place.position == 0 and connection.dialect.name == "postgresql":
        # What was there before positions were: by id, from the primary key.
        old = shown.where(messages.c.position == 0, messages.c.id > place.message_id).order_by(messages.c.id)
        found += connection.execute(old.limit(limit)).mappings().all()
    if len(found) < limit:
        new = shown.where(*_behind(connection, place), *_settled(connection))
        ordered = new.order_by(messages.c.position, messages.c.id).limit(limit - len(found))
        found += connection.execute(ordered).mappings().all()
    return found


def place_of(row: RowMapping) -> Place:
    """Where a row of ``after`` stands."""
    return Place(row["position"], row["id"])


def end(connection: Connection) -> Place:
    """Behind everything that is committed now and could be read."""
    statement = (
        select(messages.c.position, messages.c.id)
        .where(_HAS_PLACE, *_settled(connection))
        .order_by(messages.c.position.desc(), messages.c.id.desc())
        .limit(1)
    )
    last = connection.execute(statement).mappings().one_or_none()
    if last is not None:
        return place_of(last)
    newest = connection.scalar(select(messages.c.id).order_by(messages.c.id.desc()).limit(1))
    return Place(0, newest or NOBODY)


def behind(connection: Connection, place: Place) -> ColumnElement[bool]:
    """Whether a message stands behind ``place``, be it settled or not."""
    if place.position or connection.dialect.name == "sqlite":
        return and_(*_behind(connection, place))
    return or_(_HAS_PLACE, messages.c.id > place.message_id)


def lies_ahead(connection: Connection, place: Place) -> bool:
    """Whether nobody can have been told of ``place`` here: who reads on from it would miss all that comes before.

    It is of another database, or of this one before it was put back to an earlier state.
    """
    if connection.dialect.name == "sqlite":
        return place.position > given_out(connection)
    return place.position >= (connection.scalar(select(func.receiver_horizon())) or 0)


def touch(connection: Connection, ids: Iterable[UUID]) -> None:
    """Have changed messages come by again."""
    for message_id in ids:
        statement = update(messages).where(messages.c.id == message_id)
        if connection.dialect.name == "postgresql":
            connection.execute(statement.values(position=func.receiver_position()))
            continue
        # The number that the next message would have been given, taken as that one would take it.
        connection.execute(text("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'messages'"))
        next_ = text("(SELECT seq FROM sqlite_sequence WHERE name = 'messages')")
        connection.execute(statement.values(position=next_))


def given_out(connection: Connection) -> int:
    """Up to where positions may have been given out, for messages that are there or not any more."""
    if connection.dialect.name == "sqlite":
        return connection.scalar(_SEQUENCE) or 0
    return (connection.scalar(_NEXT) or 0) + (connection.scalar(_OFFSET) or 0)


def continue_behind(connection: Connection, position: int) -> None:
    """Have every position that is given out from now on be greater than ``position``."""
    if connection.dialect.name == "postgresql":
        realign(connection, behind=position)
        return
    given = {"position": position}
    raised = text("UPDATE sqlite_sequence SET seq = max(seq, :position) WHERE name = 'messages'")
    if connection.execute(raised, given).rowcount == 0:
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', :position)"), given)


def realign(connection: Connection, *, behind: int = 0) -> bool:
    """Have positions go on behind those that are there, where this cluster counts from less; whether it did.

    A dump that is read into another cluster keeps its positions, and brings no count of transactions. Whoever writes
    before this is passed over by readers of the feed: it is done before replies are received. They go on behind
    ``behind`` as well.
    """
    if connection.dialect.name != "postgresql" or not _excess(connection, behind):
        return False
    # Who is writing ends first, and who wants to waits: no position is given out by the old count meanwhile.
    connection.execute(text("LOCK TABLE messages IN SHARE ROW EXCLUSIVE MODE"))
    excess = _excess(connection, behind)
    offset = connection.scalar(_OFFSET) or 0
    for function in (POSITION_POSTGRESQL, HORIZON_POSTGRESQL) if excess else ():
        connection.execute(text(function.format(offset=offset + excess)))
    return excess > 0


_OFFSET = text("SELECT receiver_horizon() - pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_NEXT = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
_SEQUENCE = text("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")


def _excess(connection: Connection, behind: int) -> int:
    """By how much the greatest position is too great for the next transaction to come behind it; 0 where it is not."""
    newest = connection.scalar(select(func.max(messages.c.position)).where(_HAS_PLACE)) or 0
    return max(0, max(newest, behind) + 1 - given_out(connection))


def _behind(connection: Connection, place: Place) -> tuple[ColumnElement[bool], ...]:
    if connection.dialect.name == "sqlite":
        # Each row has a position of its own, and there is no bound but this for the planner to begin at.
        return (messages.c.position > place.position,)
    if place.position == 0:
        return (_HAS_PLACE,)
    # As one comparison, which the index has: a transaction may have written millions of rows.
    return _HAS_PLACE, tuple_(messages.c.position, messages.c.id) > tuple_(place.position, place.message_id)


def _settled(connection: Connection) -> tuple[ColumnElement[bool], ...]:
    """On PostgreSQL, below the oldest transaction that still runs; on SQLite all that can be seen."""
    if connection.dialect.name == "sqlite":
        return ()
    return (messages.c.position < select(func.receiver_horizon()).scalar_subquery(),)
