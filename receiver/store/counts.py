"""Counts of messages by the quarter of an hour and service: the worker keeps them from the feed, each message once.

What is not counted yet is what stands behind a place in the feed, and is counted by whoever asks. A message that is
about to change is taken back, if it was counted, and comes by again. One that is about to be deleted is counted before,
if it was not: what is purged or erased stays counted, since numbers name nobody.

Whoever counts, changes or deletes holds the one row of ``counts_state``, and takes it before any message: so what is
counted and what stands behind the place can't change under anybody. The receive path never touches it.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    case,
    cast,
    extract,
    func,
    select,
    text,
    update,
)

from receiver.vocabulary import Kind
from receiver.vocabulary.periods import quarter_of

from . import feed
from .feed import Place
from .tables import counts_state, message_counts, messages
from .upsert import insert_or

# Of a message, what it takes to count it.
COUNTED = [messages.c[name] for name in ("id", "received_at", "kind", "service")]
_NO_SERVICE = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many replies, and how many unsubscribes besides."""

    replies: int = 0
    unsubscribes: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.replies + other.replies, self.unsubscribes + other.unsubscribes)

    def __neg__(self) -> "Count":
        return Count(-self.replies, -self.unsubscribes)


def hold(connection: Connection) -> Place:
    """Up to where messages are counted, which nobody else changes until this transaction ends."""
    return _place(connection, locked=True)


def is_behind(connection: Connection) -> bool:
    """Whether there is something to count. Takes no lock."""
    return bool(feed.after(connection, _place(connection), [messages.c.id], limit=1))


def count(connection: Connection, *, limit: int) -> int:
    """Count the next ``limit`` messages of the feed; how many. Of two at once the second goes on from there."""
    found = feed.after(connection, hold(connection), COUNTED, limit=limit)
    if not found:
        return 0
    _add(connection, found)
    last = feed.place_of(found[-1])
    connection.execute(update(counts_state).values(position=last.position, message_id=last.message_id))
    return len(found)


def take_back(connection: Connection, rows: Iterable[Any]) -> None:
    """Have messages that are about to change counted no longer; rows with ``COUNTED`` and their ``position``.

    They must come by in the feed again.
    """
    done = hold(connection)
    _add(connection, [row for row in rows if feed.place_of(row) <= done], sign=-1)


def keep(connection: Connection, rows: Iterable[Any]) -> None:
    """Have messages that are about to be deleted counted, each once; rows as ``take_back`` takes them."""
    done = hold(connection)
    _add(connection, [row for row in rows if feed.place_of(row) > done])


def by_piece(connection: Connection, edges: Sequence[int], *, service: str | None = None) -> list[Count]:
    """What came in from each of these quarters on and before the next one.

    In a transaction whose statements all see the same state (``Store.snapshot``).
    """
    found = [Count()] * (len(edges) - 1)
    statement = _BY_PIECE_SQLITE if connection.dialect.name == "sqlite" else _BY_PIECE_POSTGRESQL
    given = {"edges": json.dumps(edges), "service": service}
    for number, replies, unsubscribes in connection.execute(statement, given):
        found[number] = Count(int(replies), int(unsubscribes))
    for (at, _), waiting in _waiting(connection, edges[0], edges[-1], service).items():
        found[bisect_right(edges, at) - 1] += waiting
    return found


def by_service(
    connection: Connection, low: int, high: int, *, service: str | None = None
) -> Mapping[str | None, Count]:
    """What came in from a quarter on and before another, by service (None: of none), where anything did.

    In such a transaction as ``by_piece``.
    """
    found: defaultdict[str, Count] = defaultdict(Count)
    quarter, of = message_counts.c.quarter, message_counts.c.service
    statement = select(of, *_SUMS).where(quarter >= low, quarter < high, *_of(of, service)).group_by(of)
    for row in connection.execute(statement):
        found[row.service] += Count(int(row.replies), int(row.unsubscribes))
    for (_, code), waiting in _waiting(connection, low, high, service).items():
        found[code] += waiting
    return {code or None: each for code, each in sorted(found.items()) if each != Count()}


# One parameter for all edges: with one for each a statement is another one each time, and takes ten times as long.
_BY_PIECE = """
WITH edge AS ({edges}),
piece AS (SELECT number, low, lead(low) OVER (ORDER BY number) AS high FROM edge)
SELECT piece.number, sum(counts.replies), sum(counts.unsubscribes)
FROM piece JOIN message_counts AS counts ON counts.quarter >= piece.low AND counts.quarter < piece.high
WHERE CAST(:service AS varchar) IS NULL OR counts.service = :service
GROUP BY piece.number
"""
_BY_PIECE_SQLITE = text(
    _BY_PIECE.format(edges="SELECT key AS number, value AS low FROM json_each(:edges)"),
)
_BY_PIECE_POSTGRESQL = text(
    _BY_PIECE.format(
        edges="SELECT CAST(place - 1 AS int) AS number, CAST(value AS int) AS low "
        "FROM json_array_elements_text(CAST(:edges AS json)) WITH ORDINALITY AS given (value, place)"
    ),
)
_SUMS = [func.sum(message_counts.c[name]).label(name) for name in ("replies", "unsubscribes")]


def quarter_in(connection: Connection, moment: ColumnElement[Any]) -> ColumnElement[int]:
    """As ``quarter_of``, by the database."""
    seconds = extract("epoch", moment)
    if connection.dialect.name == "sqlite":
        return seconds // 900
    return cast(func.floor(seconds / 900.0), BigInteger)


def _place(connection: Connection, *, locked: bool = False) -> Place:
    statement = select(counts_state)
    row = connection.execute(statement.with_for_update() if locked else statement).mappings().one()
    return Place(row["position"], row["message_id"])


def _waiting(connection: Connection, low: int, high: int, service: str | None) -> Mapping[tuple[int, str], Count]:
    """What is not counted yet of these quarters, by quarter and service."""
    code = func.coalesce(messages.c.service, _NO_SERVICE)
    quarter = quarter_in(connection, messages.c.received_at)
    is_stop = case((messages.c.kind == Kind.UNSUBSCRIBE, 1), else_=0)
    behind = (
        select(quarter.label("quarter"), code.label("service"), is_stop.label("is_stop"))
        .where(feed.behind(connection, _place(connection)), *_of(code, service))
        .subquery()
    )
    statement = (
        select(behind.c.quarter, behind.c.service, func.count().label("all"), func.sum(behind.c.is_stop).label("stops"))
        .where(behind.c.quarter >= low, behind.c.quarter < high)
        .group_by(behind.c.quarter, behind.c.service)
    )
    rows = connection.execute(statement).mappings()
    return {(row["quarter"], row["service"]): Count(row["all"] - row["stops"], row["stops"]) for row in rows}


def _of(column: ColumnElement[str], service: str | None) -> list[ColumnElement[bool]]:
    return [] if service is None else [column == service]


def _add(connection: Connection, rows: Iterable[Any], *, sign: int = 1) -> None:
    """Add messages to the counts, or with ``sign`` -1 take them off."""
    found: defaultdict[tuple[int, str], Count] = defaultdict(Count)
    for row in rows:
        one = Count(0, 1) if row["kind"] == Kind.UNSUBSCRIBE else Count(1, 0)
        found[quarter_of(row["received_at"]), row["service"] or _NO_SERVICE] += one if sign > 0 else -one
    if not found:
        return
    statement = insert_or(connection, message_counts)
    more = {name: message_counts.c[name] + statement.excluded[name] for name in ("replies", "unsubscribes")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["quarter", "service"], set_=more),
        [
            {"quarter": quarter, "service": code, "replies": each.replies, "unsubscribes": each.unsubscribes}
            for (quarter, code), each in sorted(found.items())
        ],
    )
