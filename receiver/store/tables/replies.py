"""What was received: replies, how they were read, and what was not taken for one."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
    text,
)

from receiver.vocabulary import Kind

from .columns import UtcDateTime, metadata

_IS_UNSUBSCRIBE = text("kind = 'unsubscribe'")

messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("origin", String(8), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("src", Text, nullable=False),
    Column("src_wire", Text, nullable=False),
    Column("dst", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),
    Column("charset", String(16), nullable=False),
    Column("charset_certain", Boolean, nullable=False),
    Column("duplicate_of", Uuid),
    Column("peer", String(45)),
    Column("gateway_id", String(32)),
    Column("sent_at", UtcDateTime),
    Column("service", String(64)),
    # In the order of commits (store.feed): on SQLite the row's number, on PostgreSQL its transaction's.
    Column(
        "position",
        BigInteger().with_variant(Integer, "sqlite"),
        nullable=False,
        server_default=text("receiver_position()"),
    ),
    # By subscriber, newest last; also where a duplicate is looked for, since ids are ordered by time.
    Index("ix_messages_src_id", "src", "id"),
    Index("ix_messages_dst_id", "dst", "id"),
    Index(
        "ix_messages_unsubscribes",
        "id",
        sqlite_where=_IS_UNSUBSCRIBE,
        postgresql_where=_IS_UNSUBSCRIBE,
    ),
    CheckConstraint(f"kind in ('{Kind.REPLY}', '{Kind.UNSUBSCRIBE}')", name="kind"),
)

# What a message was taken to say before its bytes were decoded anew: until when, and who had that done.
message_readings = Table(
    "message_readings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("charset", String(16), nullable=False),
    Column("charset_certain", Boolean, nullable=False),
    Column("kind", String(16), nullable=False),
    Index("ix_message_readings_message_id_id", "message_id", "id"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("peer", String(45)),
    Column("raw", LargeBinary, nullable=False),
    Column("unsubscribes", Text),
    Column("replayed_at", UtcDateTime),
    Column("message_id", Uuid),
    Index("ix_quarantine_reason_id", "reason", "id"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("peer", String(45), primary_key=True),
    Column("reason", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

# Which replies were pulled: a number at the gateway that comes with the same words again is the same message.
pulled_replies = Table(
    "pulled_replies",
    metadata,
    Column("gateway_id", String(32), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("message_id", Uuid, nullable=False),
)
