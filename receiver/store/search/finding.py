"""What has all of some terms, in the order of ids: bucket by bucket, no further than is asked for."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from .buckets import Bucket, buckets

# Buckets that SQLite is asked about in one expression, whose depth is limited.
_MOST_AT_ONCE_SQLITE = 64


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
    wanted = " OR ".join(f"({' AND '.join(bucket.token(term) for term in terms)})" for bucket in some)
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
