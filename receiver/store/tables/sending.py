"""What is sent: a text, its batches, and each of its recipients."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text, Uuid, text

from .columns import UtcDateTime, metadata

_IS_OPEN = text("state in ('queued', 'sending')")
_IS_IN_DOUBT = text("state = 'in_doubt'")

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
