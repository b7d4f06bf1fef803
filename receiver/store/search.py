"""The index of messages by terms: the characters of their texts, and what else they are filtered by.

Any combination of conditions is an intersection of terms. What it finds is looked at again by whoever asked: two terms
may share a number, and a message may have changed since it was indexed.

The range of ids is cut into buckets of so many messages, and a term is another one in each: where one is frequent, the
newest bucket has enough of it, and nothing is sorted out of millions. PostgreSQL keeps arrays under GIN, SQLite
documents without their content in FTS5, numbered as the messages are.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Index, Integer, MetaData, Table, Uuid, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from receiver.vocabulary import Kind
from receiver.vocabulary.terms import folded, grams, hashes, needed_grams

from . import feed
from .feed import NOBODY, Place
from .tables import messages, metadata, search_buckets, search_state

# Messages of a bucket. A word in each third of them is a few thousand to sort; a rare one is looked up in so many.
BUCKET = 20_000
# Buckets that SQLite is asked about in one expression, whose depth is limited.
_MOST_AT_ONCE_SQLITE = 64
_MASK = 0x7FFFFFFF
_LAST = UUID(int=(1 << 128) - 1)

# What is in the database on PostgreSQL alone; on SQLite it is a virtual table of the same name.
apart = MetaData(naming_convention=metadata.naming_convention)
message_search = Table(
    "message_search",
    apart,
    Column("id", Uuid, primary_key=True),
    Column("terms", ARRAY(Integer), nullable=False),
    Index("ix_message_search_terms", "terms", postgresql_using="gin"),
)

# Of a message, what its terms are made of.
INDEXED = [messages.c[name] for name in ("id", "text", "src", "dst", "kind", "origin", "service", "duplicate_of")]


@dataclass(frozen=True, slots=True)
class Bucket:
    """Messages from ``low`` on and before ``high``."""

    number: int
    low: UUID
    high: UUID

    @property
    def mask(self) -> int:
        """What makes its terms others than those of every other bucket."""
        return (self.number * 0x9E3779B1) & _MASK


def terms_of(row: Any) -> list[int]:
    """The terms of a message. What nearly every message has is none: it would part nothing from anything."""
    named = {f"dst:{row['dst']}", f"src:{row['src']}"}
    if row["kind"] == Kind.UNSUBSCRIBE:
        named.add("unsubscribe")
    if row["origin"] != "push":
        named.add(f"origin:{row['origin']}")
    if row["service"] is not None:
        named.add(f"service:{row['service']}")
    if row["duplicate_of"] is not None:
        named.add("duplicate")
    return hashes(named | grams(folded(row["text"])))


def terms_for(
    *,
    needle: str | None,
    src: str | None,
    dst: str | None,
    kind: str | None,
    origin: str | None,
    service: str | None,
    duplicates: bool,
) -> list[int]:
    """The terms that a message must have which meets all of these conditions; none where no term tells."""
    named = set() if needle is None else needed_grams(needle)
    if src is not None:
        named.add(f"src:{src}")
    if dst is not None:
        named.add(f"dst:{dst}")
    if kind == Kind.UNSUBSCRIBE:
        named.add("unsubscribe")
    if origin is not None and origin != "push":
        named.add(f"origin:{origin}")
    if service is not None:
        named.add(f"service:{service}")
    if duplicates:
        named.add("duplicate")
    return hashes(named)


def indexed_up_to(connection: Connection) -> Place:
    """Up to where in the feed messages are in the index."""
    row = connection.execute(select(search_state)).mappings().one()
    return Place(row["position"], row["message_id"])


def is_behind(connection: Connection) -> bool:
    """Whether there is something to index. Takes no lock."""
    return bool(feed.after(connection, indexed_up_to(connection), [messages.c.id], limit=1))


def index(connection: Connection, *, limit: int) -> int:
    """Index the next ``limit`` messages of the feed; how many. Of two at once the second goes on from there."""
    locked = select(search_state).with_for_update()
    row = connection.execute(locked).mappings().one()
    found = feed.after(connection, Place(row["position"], row["message_id"]), INDEXED, limit=limit)
    if not found:
        return 0
    add(connection, found)
    last = feed.place_of(found[-1])
    connection.execute(update(search_state).values(position=last.position, message_id=last.message_id))
    return len(found)


def tidy(connection: Connection) -> bool:
    """Merge a little of SQLite's index, in which every question looks at each part; whether there is more to merge."""
    if connection.dialect.name == "postgresql":
        return False
    count = "SELECT total_changes()"
    before = connection.exec_driver_sql(count).scalar_one()
    connection.exec_driver_sql("INSERT INTO message_search (message_search, rank) VALUES ('merge', 64)")
    # The statement itself counts as one.
    return bool(connection.exec_driver_sql(count).scalar_one() - before > 1)


def add(connection: Connection, rows: Sequence[Any]) -> None:
    """Put messages into the index, each with its ``position`` and what ``INDEXED`` says."""
    filed = _filed(connection, rows)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "INSERT INTO message_search (rowid, terms) VALUES (?, ?)",
            [(row["position"], _document(terms_of(row), bucket)) for row, bucket in filed],
        )
        return
    statement = postgresql_insert(message_search)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={"terms": statement.excluded.terms}),
        [{"id": row["id"], "terms": [term ^ bucket.mask for term in terms_of(row)]} for row, bucket in filed],
    )


def forget(connection: Connection, rows: Collection[Any]) -> None:
    """Take messages out of the index that are about to be deleted, or changed; rows as ``add`` takes them."""
    if connection.dialect.name == "postgresql":
        ids = [row["id"] for row in rows]
        connection.execute(message_search.delete().where(message_search.c.id.in_(ids)))
        return
    known = buckets(connection)
    done = indexed_up_to(connection)
    taken_out = [
        (row["position"], _document(terms_of(row), bucket))
        for row in rows
        if feed.place_of(row) <= done and (bucket := _bucket_of(known, row["id"])) is not None
    ]
    if taken_out:
        connection.exec_driver_sql(
            "INSERT INTO message_search (message_search, rowid, terms) VALUES ('delete', ?, ?)", taken_out
        )


def buckets(connection: Connection) -> list[Bucket]:
    """All buckets, the oldest first. The first begins with the first id that could be, the last has no end."""
    rows = connection.execute(select(search_buckets).order_by(search_buckets.c.number)).mappings().all()
    lows = [NOBODY, *(row["first_id"] for row in rows[1:])]
    return [Bucket(row["number"], low, high) for row, low, high in zip(rows, lows, [*lows[1:], _LAST], strict=False)]


def ids(
    connection: Connection, terms: Sequence[int], *, low: UUID, high: UUID, newest_first: bool, limit: int
) -> Iterator[UUID]:
    """Messages in the index that have all ``terms``, from ``low`` on and before ``high``, in the order of their ids.

    At most ``limit`` of each bucket: who wants more asks again from the last one.
    """
    reached = [bucket for bucket in buckets(connection) if bucket.low < high and bucket.high > low]
    ordered = reached[::-1] if newest_first else reached
    # The first alone: where a term is frequent, that is all it takes. Then ever more at once: where it is rare, nearly
    # all have to be asked.
    ask, most = (
        (_ids_of_sqlite, _MOST_AT_ONCE_SQLITE)
        if connection.dialect.name == "sqlite"
        else (_ids_of_postgresql, len(ordered))
    )
    size, place = 1, 0
    while place < len(ordered):
        yield from ask(connection, terms, ordered[place : place + size], low, high, newest_first, limit)
        place, size = place + size, min(size * 8, max(1, most))


def _ids_of_sqlite(
    connection: Connection,
    terms: Sequence[int],
    some: Sequence[Bucket],
    low: UUID,
    high: UUID,
    newest_first: bool,
    limit: int,
) -> Iterator[UUID]:
    order = "DESC" if newest_first else "ASC"
    wanted = " OR ".join(f"({' AND '.join(_token(term, bucket) for term in terms)})" for bucket in some)
    found = connection.exec_driver_sql(
        "SELECT messages.id FROM message_search JOIN messages ON messages.position = message_search.rowid "
        f"WHERE message_search MATCH ? AND messages.id >= ? AND messages.id < ? ORDER BY messages.id {order} LIMIT ?",
        (
            wanted,
            max(low, min(bucket.low for bucket in some)).hex,
            min(high, max(bucket.high for bucket in some)).hex,
            limit,
        ),
    )
    for row in found.all():
        yield UUID(row[0])


def _ids_of_postgresql(
    connection: Connection,
    terms: Sequence[int],
    some: Sequence[Bucket],
    low: UUID,
    high: UUID,
    newest_first: bool,
    limit: int,
) -> Iterator[UUID]:
    order = "DESC" if newest_first else "ASC"
    # Bucket by bucket in the order in which they are given, and no further than is needed: a nested loop under a limit.
    # OFFSET 0 keeps the order from the innermost question: for its sake a planner would walk all ids of the bucket.
    statement = text(
        f"""
        SELECT found.id FROM unnest(CAST(:lows AS uuid[]), CAST(:highs AS uuid[]), CAST(:masks AS int[]))
            AS bucket (low, high, mask)
        CROSS JOIN LATERAL (
            SELECT matching.id FROM (
                SELECT entry.id FROM message_search AS entry
                WHERE entry.terms @> ARRAY(SELECT term # bucket.mask FROM unnest(CAST(:terms AS int[])) AS term)
                OFFSET 0
            ) AS matching
            WHERE matching.id >= bucket.low AND matching.id < bucket.high
            ORDER BY matching.id {order} LIMIT :limit
        ) AS found LIMIT :limit
        """
    )
    given = {
        "lows": [max(low, bucket.low) for bucket in some],
        "highs": [min(high, bucket.high) for bucket in some],
        "masks": [bucket.mask for bucket in some],
        "terms": list(terms),
        "limit": limit,
    }
    yield from sorted(connection.scalars(statement, given), reverse=newest_first)


def _filed(connection: Connection, rows: Sequence[Any]) -> list[tuple[Any, Bucket]]:
    """Each row with its bucket; a new one is begun where the newest is full.

    Only behind the greatest id that is in any: those which come late stay in the one that covers them.
    """
    stored = connection.execute(select(search_buckets).order_by(search_buckets.c.number)).mappings().all()
    lows = [NOBODY, *(row["first_id"] for row in stored[1:])] if stored else []
    size, last = (stored[-1]["size"], stored[-1]["last_id"]) if stored else (0, NOBODY)
    began: list[dict[str, Any]] = []
    filed: list[tuple[Any, int]] = []
    for row in rows:
        row_id = row["id"]
        if not lows or (size >= BUCKET and row_id > last):
            began.append({"number": len(lows), "first_id": row_id, "last_id": row_id, "size": 0})
            lows.append(row_id if lows else NOBODY)
            size, last = 0, row_id
        number = bisect_right(lows, row_id) - 1
        if number == len(lows) - 1:
            size, last = size + 1, max(last, row_id)
        filed.append((row, number))
    if began:
        connection.execute(insert(search_buckets), began)
    newest = search_buckets.c.number == len(lows) - 1
    connection.execute(update(search_buckets).where(newest).values(size=size, last_id=last))
    return [(row, Bucket(number, lows[number], _LAST)) for row, number in filed]


def _bucket_of(known: Sequence[Bucket], message_id: UUID) -> Bucket | None:
    place = bisect_right([bucket.low for bucket in known], message_id) - 1
    return known[place] if known else None


def _document(terms: Iterable[int], bucket: Bucket) -> str:
    return " ".join(_token(term, bucket) for term in terms)


def _token(term: int, bucket: Bucket) -> str:
    # Behind a letter: in a query a bare word may not begin with a digit, nor be AND, OR or NOT.
    return f"t{term ^ bucket.mask:x}"


__all__ = ["BUCKET", "INDEXED", "add", "forget", "ids", "index", "indexed_up_to", "terms_for", "terms_of"]
