"""What the worker makes of the rest: its tasks, the index of texts, the counts."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, String, Table, Text, Uuid

from .columns import UtcDateTime, metadata

# Work that any number of workers share: whose turn it is, and how it went. Each change counts up ``turns``.
tasks = Table(
    "tasks",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("turns", BigInteger, nullable=False),
    Column("holder", String(100)),
    Column("lease_until", UtcDateTime),
    Column("next_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("failed_at", UtcDateTime),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
    Column("detail", Text),
)

# The index by terms is cut into ranges of ids, of so many messages each; each has terms of its own (store.search).
search_buckets = Table(
    "search_buckets",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_id", Uuid, nullable=False),
    Column("last_id", Uuid, nullable=False),
    Column("size", Integer, nullable=False),
)

# Up to where in the feed messages are in the index.
search_state = Table(
    "search_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("message_id", Uuid, nullable=False),
    CheckConstraint("id = 1", name="single"),
)

# How many messages came in within a quarter of an hour, counted since 1970, for a service; '' is for those of none
# (store.counts).
message_counts = Table(
    "message_counts",
    metadata,
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    Column("service", String(64), primary_key=True),
    Column("replies", BigInteger, nullable=False),
    Column("unsubscribes", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Up to where in the feed messages are counted.
counts_state = Table(
    "counts_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("message_id", Uuid, nullable=False),
    CheckConstraint("id = 1", name="single"),
)

# How many pushed replies of an hour, counted since 1970, were acknowledged within which step of time, and the longest
# of them in microseconds (vocabulary.durations).
acknowledged = Table(
    "acknowledged",
    metadata,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("longest", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
