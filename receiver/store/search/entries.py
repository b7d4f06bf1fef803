"""The table of terms: what is put into it in the feed's order, and taken out before a message changes or goes."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, MetaData, Table, Uuid, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from .. import feed
from ..feed import Place
from ..tables import messages, metadata, search_state
from .buckets import bucket_of, buckets, filed
from .terms import INDEXED, terms_of

# What is in the database on PostgreSQL alone; on SQLite it is a virtual table of the same name.
apart = MetaData(naming_convention=metadata.naming_convention)
message_search = Table(
    "message_search",
    apart,
    Column("id", Uuid, primary_key=True),
    Column("terms", ARRAY(Integer), nullable=False),
    Index("ix_message_search_terms", "terms", postgresql_using="gin"),
)


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
    placed = filed(connection, rows)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "INSERT INTO message_search (rowid, terms) VALUES (?, ?)",
            [(row["position"], bucket.document(terms_of(row))) for row, bucket in placed],
        )
        return
    statement = postgresql_insert(message_search)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={"terms": statement.excluded.terms}),
        [{"id": row["id"], "terms": [term ^ bucket.mask for term in terms_of(row)]} for row, bucket in placed],
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
        (row["position"], bucket.document(terms_of(row)))
        for row in rows
        if feed.place_of(row) <= done and (bucket := bucket_of(known, row["id"])) is not None
    ]
    if taken_out:
        connection.exec_driver_sql(
            "INSERT INTO message_search (message_search, rowid, terms) VALUES ('delete', ?, ?)", taken_out
        )
