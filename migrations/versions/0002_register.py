"""The register made complete: the numbers of services, room to prepare an import, a ledger that refuses change.

Triggers are the database's own word that nothing in the ledger is edited or deleted, whoever asks. Nothing here
rewrites or locks a large table: only new tables, and triggers on one that is written under its own lock anyway.
"""

import sqlalchemy as sa
from alembic import op

from receiver.store.tables import UtcDateTime

revision = "0002"
down_revision = "0001"

_REFUSAL = "the ledger is append-only"


def upgrade() -> None:
    op.create_table(
        "service_numbers",
        sa.Column("number", sa.String(100), nullable=False),
        sa.Column("is_prefix", sa.Boolean, nullable=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", "is_prefix", name="pk_service_numbers"),
        sa.ForeignKeyConstraint(["service"], ["services.code"], name="fk_service_numbers_service_services"),
    )
    op.create_index("ix_service_numbers_service", "service_numbers", ["service"])
    op.create_table(
        "staged_subscriptions",
        sa.Column("import_id", sa.Uuid, nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("import_id", "line", name="pk_staged_subscriptions"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ledger_no_{act.lower()} BEFORE {act} ON ledger "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        # INSERT OR REPLACE deletes what is in its way without running the trigger on DELETE.
        op.execute(
            "CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger "
            "WHEN EXISTS (SELECT 1 FROM ledger WHERE sequence = NEW.sequence OR hash = NEW.hash) "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger "
        "FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER ledger_no_replace")
        op.execute("DROP TRIGGER ledger_no_update")
        op.execute("DROP TRIGGER ledger_no_delete")
    else:
        op.execute("DROP TRIGGER ledger_no_change ON ledger")
        op.execute("DROP TRIGGER ledger_no_truncate ON ledger")
        op.execute("DROP FUNCTION ledger_is_append_only()")
    op.drop_table("staged_subscriptions")
    op.drop_table("service_numbers")
