"""The tables, as migrations make them: one definition that every statement is written with."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.types import TypeDecorator

from receiver.vocabulary import Kind

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment: ``timestamptz`` on PostgreSQL, sortable RFC 3339 text in UTC on SQLite."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else SqlDateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return utc_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


def utc_text(moment: datetime) -> str:
    """An aware moment as SQLite stores it: RFC 3339 in UTC, always with six digits, so that text sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


_IS_UNSUBSCRIBE = text("kind = 'unsubscribe'")
_IS_ACTIVE = text("cancelled_at is null")
_IS_OPEN = text("state in ('queued', 'sending')")
_IS_IN_DOUBT = text("state = 'in_doubt'")

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

# One text to many phones, as somebody asked for it.
sends = Table(
    "sends",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("sender", String(8)),
    # When the gateway is to send it, and whether the batches are kept here until shortly before.
    Column("at", UtcDateTime),
    Column("is_held", Boolean, nullable=False),
    Column("is_long", Boolean, nullable=False),
    # Once it was ended, nothing of it is queued any more: neither what comes back from a call that was not made.
    Column("ended_at", UtcDateTime),
    Column("ended_as", String(16)),
    Column("ended_code", Integer),
    Column("ended_detail", Text),
    Column("ended_by", Text),
)

# What goes to the gateway in one call. A claim is taken before the call and names who makes it.
send_batches = Table(
    "send_batches",
    metadata,
    Column("send_id", Uuid, ForeignKey("sends.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claim", Uuid),
    Column("lease_until", UtcDateTime),
    Column("answered_at", UtcDateTime),
    Column("code", Integer),
    Column("detail", Text),
    Index("ix_send_batches_open", "state", "not_before", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    CheckConstraint("state in ('queued', 'sending', 'answered', 'in_doubt', 'cancelled')", name="state"),
)

# One phone of a send; in no batch where it was blocked before there was one.
send_recipients = Table(
    "send_recipients",
    metadata,
    Column("send_id", Uuid, ForeignKey("sends.id"), primary_key=True),
    Column("phone", String(32), primary_key=True),
    Column("batch", Integer),
    Column("written", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", Integer),
    Column("detail", Text),
    Column("settled_at", UtcDateTime),
    Column("settled_by", Text),
    Column("settled_reason", Text),
    Index("ix_send_recipients_phone_send_id", "phone", "send_id"),
    # A batch's recipients; and how many of a send are in which state, from the index alone.
    Index("ix_send_recipients_send_id_batch_state", "send_id", "batch", "state"),
    Index("ix_send_recipients_in_doubt", "send_id", sqlite_where=_IS_IN_DOUBT, postgresql_where=_IS_IN_DOUBT),
    CheckConstraint("state in ('queued', 'accepted', 'refused', 'blocked', 'in_doubt', 'cancelled')", name="state"),
)

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

# Which replies were pulled: a number at the gateway that comes with the same words again is the same message.
pulled_replies = Table(
    "pulled_replies",
    metadata,
    Column("gateway_id", String(32), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("message_id", Uuid, nullable=False),
)

# Who may use the API. A token is kept as its SHA-256 alone; the prefix is how people tell keys apart.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", String(16), nullable=False, unique=True),
    Column("hash", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("revoked_by", Text),
    Column("last_used_at", UtcDateTime),
)

# Who changed, exported or revealed what.
audit = Table(
    "audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("action", String(40), nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", String(16), nullable=False),
    Column("target", Text),
    Column("detail", JSON, nullable=False),
    Column("key_id", Uuid),
    Column("peer", String(45)),
    Index("ix_audit_action_id", "action", "id"),
    Index("ix_audit_actor_id", "actor", "id"),
    Index("ix_audit_target_id", "target", "id"),
)

# Who may use the console. ``folded`` is the name as it is compared; without a password nobody logs in.
people = Table(
    "people",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded", String(100), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text),
    Column("totp_secret", String(64)),
    # The half minute of the last code that was used: none opens twice.
    Column("totp_step", BigInteger),
    Column("locale", String(16)),
    Column("zone", String(64), nullable=False),
    Column("theme", String(8)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("last_login_at", UtcDateTime),
    Column("disabled_at", UtcDateTime),
)

# Links that set an account's password once, by the hash of their secret.
invitations = Table(
    "invitations",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", Uuid, ForeignKey("people.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# Who is logged in, by the hash of the cookie.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, ForeignKey("people.id"), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("peer", String(45)),
    Column("agent", Text),
)

# How often logins failed, by account and by address.
login_failures = Table(
    "login_failures",
    metadata,
    Column("counter", String(100), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
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

# Which request an idempotency key of the API belongs to, and which send that became.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_id", Uuid, primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    Column("send_id", Uuid, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
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
