"""The receive path: messages, quarantine, refusals, services, subscriptions, opt-outs and the ledger.

Everything starts here, so there is no live table to be careful of.
"""

import sqlalchemy as sa
from alembic import op

from receiver.store.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("origin", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("src", sa.Text, nullable=False),
        sa.Column("src_wire", sa.Text, nullable=False),
        sa.Column("dst", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("charset", sa.String(16), nullable=False),
        sa.Column("charset_certain", sa.Boolean, nullable=False),
        sa.Column("duplicate_of", sa.Uuid),
        sa.Column("peer", sa.String(45)),
        sa.Column("gateway_id", sa.String(32)),
        sa.Column("sent_at", UtcDateTime),
        sa.Column("service", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.CheckConstraint("kind in ('reply', 'unsubscribe')", name=op.f("ck_messages_kind")),
    )
    op.create_index("ix_messages_src_id", "messages", ["src", "id"])
    op.create_index("ix_messages_dst_id", "messages", ["dst", "id"])
    unsubscribes = sa.text("kind = 'unsubscribe'")
    op.create_index(
        "ix_messages_unsubscribes", "messages", ["id"], sqlite_where=unsubscribes, postgresql_where=unsubscribes
    )

    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("peer", sa.String(45)),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("unsubscribes", sa.Text),
        sa.Column("replayed_at", UtcDateTime),
        sa.Column("message_id", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_reason_id", "quarantine", ["reason", "id"])

    op.create_table(
        "refusals",
        sa.Column("peer", sa.String(45), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("peer", "reason", name="pk_refusals"),
    )

    op.create_table(
        "services",
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_services"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("cancelled_at", UtcDateTime),
        sa.Column("cancelled_by", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.ForeignKeyConstraint(["service"], ["services.code"], name="fk_subscriptions_service_services"),
    )
    active = sa.text("cancelled_at is null")
    op.create_index(
        "uq_subscriptions_active",
        "subscriptions",
        ["phone", "service"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )

    op.create_table(
        "optouts",
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("message_id", sa.Uuid),
        sa.PrimaryKeyConstraint("phone", name="pk_optouts"),
    )

    op.create_table(
        "ledger",
        sa.Column("sequence", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("phone", sa.Text),
        sa.Column("message_id", sa.Uuid),
        sa.Column("raw_sha256", sa.String(64)),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_ledger"),
        sa.UniqueConstraint("hash", name="uq_ledger_hash"),
    )
    op.create_index("ix_ledger_phone_sequence", "ledger", ["phone", "sequence"])
    head = op.create_table(
        "ledger_head",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_head"),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_head_single")),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": "0" * 64}])


def downgrade() -> None:
    for table in (
        "ledger_head",
        "ledger",
        "optouts",
        "subscriptions",
        "services",
        "refusals",
        "quarantine",
        "messages",
    ):
        op.drop_table(table)
