"""Opt-outs by when they began, newest first: pages of millions need no sorting.

The index is built while the register waits: some seconds for millions of rows.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("ix_optouts_since_phone", "optouts", ["since", "phone"])


def downgrade() -> None:
    op.drop_index("ix_optouts_since_phone", "optouts")
