"""Who is subscribed to which service, who said stop, and the ledger that proves it."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    Uuid,
    text,
)

from .columns import UtcDateTime, metadata

_IS_ACTIVE = text("cancelled_at is null")

services = Table(
    "services",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# Which service the replies to a number belong to: the number itself, or all that begin with it.
service_numbers = Table(
    "service_numbers",
    metadata,
    Column("number", String(100), primary_key=True),
    Column("is_prefix", Boolean, primary_key=True),
    Column("service", String(64), ForeignKey("services.code"), nullable=False, index=True),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("phone", Text, nullable=False),
    Column("service", String(64), ForeignKey("services.code"), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("cancelled_at", UtcDateTime),
    Column("cancelled_by", Uuid),
    Index(
        "uq_subscriptions_active",
        "phone",
        "service",
        unique=True,
        sqlite_where=_IS_ACTIVE,
        postgresql_where=_IS_ACTIVE,
    ),
)

# Where an import of subscriptions is prepared in small steps, before one statement makes all of it count.
staged_subscriptions = Table(
    "staged_subscriptions",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    Column("line", BigInteger, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("phone", Text, nullable=False),
    Column("service", String(64), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

optouts = Table(
    "optouts",
    metadata,
    Column("phone", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("source", String(16), nullable=False),
    Column("reason", Text),
    Column("actor", Text, nullable=False),
    Column("message_id", Uuid),
    Index("ix_optouts_since_phone", "since", "phone"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("type", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("phone", Text),
    Column("message_id", Uuid),
    Column("raw_sha256", String(64)),
    Column("detail", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Index("ix_ledger_phone_sequence", "phone", "sequence"),
)

# One row: where the chain ends. Locking it is what orders the writers of the ledger.
ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    CheckConstraint("id = 1", name="single"),
)
