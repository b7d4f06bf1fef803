"""Earlier readings of messages whose bytes were decoded anew. Only a new table: nothing waits for a lock."""

import sqlalchemy as sa
from alembic import op

from receiver.store.tables import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "message_readings",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("charset", sa.String(16), nullable=False),
        sa.Column("charset_certain", sa.Boolean, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_message_readings"),
    )
    op.create_index("ix_message_readings_message_id_id", "message_readings", ["message_id", "id"])


def downgrade() -> None:
    op.drop_table("message_readings")
