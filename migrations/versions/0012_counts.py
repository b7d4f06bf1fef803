"""Counts of messages by the quarter of an hour and service, kept by the worker; and how long answers took.

Only new tables: nothing waits for a lock. The worker counts what is there already, from the beginning of the feed. On
SQLite the rows of a period lie side by side, in the order of the key.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "message_counts",
        sa.Column("quarter", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("replies", sa.BigInteger, nullable=False),
        sa.Column("unsubscribes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("quarter", "service", name="pk_message_counts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counts_state",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_counts_state"),
        sa.CheckConstraint("id = 1", name=op.f("ck_counts_state_single")),
    )
    op.execute(sa.text(f"INSERT INTO counts_state (id, position, message_id) VALUES (1, 0, '{'0' * 32}')"))
    op.create_table(
        "acknowledged",
        sa.Column("hour", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("step", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("longest", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hour", "step", name="pk_acknowledged"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("acknowledged", "counts_state", "message_counts"):
        op.drop_table(table)
