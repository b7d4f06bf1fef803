"""Counters of API requests: a table that may be lost, and so costs no write to the log. Nothing waits for a lock.

SQLite has one lock for all that write to a file: there they are in a file of their own (receiver.store.rate_windows).
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    op.create_table(
        "rate_windows",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rate_windows"),
        prefixes=["UNLOGGED"],
        # Room beside each row for its next version: a row that is counted up again and again changes no index.
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    if op.get_context().dialect.name != "sqlite":
        op.drop_table("rate_windows")
