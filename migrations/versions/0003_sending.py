"""Sending and pulling: what is to be sent and what became of it, shared tasks, and which pulled replies we have.

Only new tables: nothing waits for a lock. A pulled reply's number at the gateway has a table of its own, so that no
index has to be built over all messages while replies come in.
"""

import sqlalchemy as sa
from alembic import op

from receiver.store.tables import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "sends",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sender", sa.String(8)),
        sa.Column("at", UtcDateTime),
        sa.Column("is_held", sa.Boolean, nullable=False),
        sa.Column("is_long", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sends"),
    )
    op.create_table(
        "send_batches",
        sa.Column("send_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("not_before", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claim", sa.Uuid),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("code", sa.Integer),
        sa.Column("detail", sa.Text),
        sa.PrimaryKeyConstraint("send_id", "number", name="pk_send_batches"),
        sa.ForeignKeyConstraint(["send_id"], ["sends.id"], name="fk_send_batches_send_id_sends"),
        sa.CheckConstraint(
            "state in ('queued', 'sending', 'answered', 'in_doubt', 'cancelled')", name=op.f("ck_send_batches_state")
        ),
    )
    open_batches = sa.text("state in ('queued', 'sending')")
    op.create_index(
        "ix_send_batches_open",
        "send_batches",
        ["state", "not_before"],
        sqlite_where=open_batches,
        postgresql_where=open_batches,
    )
    op.create_table(
        "send_recipients",
        sa.Column("send_id", sa.Uuid, nullable=False),
        sa.Column("phone", sa.String(32), nullable=False),
        sa.Column("batch", sa.Integer),
        sa.Column("written", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("detail", sa.Text),
        sa.Column("settled_at", UtcDateTime),
        sa.Column("settled_by", sa.Text),
        sa.Column("settled_reason", sa.Text),
        sa.PrimaryKeyConstraint("send_id", "phone", name="pk_send_recipients"),
        sa.ForeignKeyConstraint(["send_id"], ["sends.id"], name="fk_send_recipients_send_id_sends"),
        sa.CheckConstraint(
            "state in ('queued', 'accepted', 'refused', 'blocked', 'in_doubt', 'cancelled')",
            name=op.f("ck_send_recipients_state"),
        ),
    )
    op.create_index("ix_send_recipients_phone_send_id", "send_recipients", ["phone", "send_id"])
    op.create_index("ix_send_recipients_send_id_batch_state", "send_recipients", ["send_id", "batch", "state"])
    in_doubt = sa.text("state = 'in_doubt'")
    op.create_index(
        "ix_send_recipients_in_doubt",
        "send_recipients",
        ["send_id"],
        sqlite_where=in_doubt,
        postgresql_where=in_doubt,
    )
    op.create_table(
        "tasks",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("turns", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(100)),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("failed_at", UtcDateTime),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("detail", sa.Text),
        sa.PrimaryKeyConstraint("name", name="pk_tasks"),
    )
    op.create_table(
        "pulled_replies",
        sa.Column("gateway_id", sa.String(32), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", "fingerprint", name="pk_pulled_replies"),
    )


def downgrade() -> None:
    for table in ("pulled_replies", "tasks", "send_recipients", "send_batches", "sends"):
        op.drop_table(table)
