"""Codes that open once in place of the second factor's.

Only a new table: nothing waits for a lock.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "code_hash", name="pk_recovery_codes"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_recovery_codes_person_id_people"),
    )


def downgrade() -> None:
    op.drop_table("recovery_codes")
