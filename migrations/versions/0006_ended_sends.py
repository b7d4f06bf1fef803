"""Sends that were ended: cancelled by a person, or refused for the account's sake, with what others have claimed.

New columns without values: nothing is rewritten, and the lock is held for a moment.
"""

import sqlalchemy as sa
from alembic import op

from receiver.store.tables import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("sends", sa.Column("ended_at", UtcDateTime))
    op.add_column("sends", sa.Column("ended_as", sa.String(16)))
    op.add_column("sends", sa.Column("ended_code", sa.Integer))
    op.add_column("sends", sa.Column("ended_detail", sa.Text))
    op.add_column("sends", sa.Column("ended_by", sa.Text))


def downgrade() -> None:
    for name in ("ended_by", "ended_detail", "ended_code", "ended_as", "ended_at"):
        op.drop_column("sends", name)
