"""The feed: a position for each message in the order of commits, and an index of the words in them.

Ids are made before the commit, so that one may become visible after a greater one: who reads on from the last id misses
it. On SQLite there is one writer: the position is the row's number, never used twice, which VACUUM leaves alone (the
table is written anew for it, once). On PostgreSQL it is the number of the writing transaction: a reader takes what is
below the oldest that still runs (receiver_horizon). The column comes with a constant, so that no row is rewritten; old
rows keep 0, and the index leaves them out: to build it is one reading of the table.
"""

import sqlalchemy as sa
from alembic import op

from receiver.store.feed import HORIZON_POSTGRESQL, POSITION_POSTGRESQL
from receiver.store.tables import UtcDateTime

revision = "0008"
down_revision = "0007"

_COLUMNS = (
    "id, received_at, origin, kind, src, src_wire, dst, raw, text, charset, charset_certain, duplicate_of, peer, "
    "gateway_id, sent_at, service"
)


def upgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    if is_sqlite:
        _rewrite(sa.Column("position", sa.Integer, primary_key=True), sa.UniqueConstraint("id", name="uq_messages_id"))
    else:
        op.add_column("messages", sa.Column("position", sa.BigInteger, nullable=False, server_default="0"))
        op.execute(sa.text(POSITION_POSTGRESQL.format(offset=0)))
        op.execute(sa.text(HORIZON_POSTGRESQL.format(offset=0)))
        op.alter_column("messages", "position", server_default=sa.text("receiver_position()"))
        op.create_index(
            "ix_messages_position", "messages", ["position", "id"], postgresql_where=sa.text("position > 0")
        )
    op.create_table(
        "search_buckets",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("first_id", sa.Uuid, nullable=False),
        sa.Column("last_id", sa.Uuid, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_search_buckets"),
    )
    op.create_table(
        "search_state",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_state"),
        sa.CheckConstraint("id = 1", name=op.f("ck_search_state_single")),
    )
    op.execute(sa.text(f"INSERT INTO search_state (id, position, message_id) VALUES (1, 0, '{'0' * 32}')"))
    if is_sqlite:
        op.execute(
            sa.text(
                "CREATE VIRTUAL TABLE message_search USING "
                "fts5(terms, content = '', detail = none, columnsize = 0, tokenize = 'ascii')"
            )
        )
        # Two parts of a size may be merged, when there is time for it (store.search.tidy).
        op.execute(sa.text("INSERT INTO message_search (message_search, rank) VALUES ('usermerge', 2)"))
    else:
        op.create_table(
            "message_search",
            sa.Column("id", sa.Uuid, nullable=False),
            sa.Column("terms", sa.dialects.postgresql.ARRAY(sa.Integer), nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_message_search"),
        )
        op.create_index("ix_message_search_terms", "message_search", ["terms"], postgresql_using="gin")


def downgrade() -> None:
    for table in ("message_search", "search_state", "search_buckets"):
        op.execute(sa.text(f"DROP TABLE {table}"))
    if op.get_context().dialect.name == "sqlite":
        _rewrite(None, sa.PrimaryKeyConstraint("id", name="pk_messages"))
    else:
        op.drop_index("ix_messages_position", "messages")
        op.drop_column("messages", "position")
        op.execute(sa.text("DROP FUNCTION receiver_horizon()"))
        op.execute(sa.text("DROP FUNCTION receiver_position()"))


def _rewrite(position: "sa.Column[int] | None", key: sa.Constraint) -> None:
    """SQLite changes no primary key of a table that is there: its rows go into another one, in the order they came."""
    columns: list[sa.schema.SchemaItem] = [] if position is None else [position]
    op.create_table(
        "messages_rewritten",
        *columns,
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
        key,
        sa.CheckConstraint("kind in ('reply', 'unsubscribe')", name=op.f("ck_messages_kind")),
        sqlite_autoincrement=position is not None,
    )
    order = "rowid" if position is not None else "position"
    op.execute(sa.text(f"INSERT INTO messages_rewritten ({_COLUMNS}) SELECT {_COLUMNS} FROM messages ORDER BY {order}"))
    op.drop_table("messages")
    op.rename_table("messages_rewritten", "messages")
    op.create_index("ix_messages_src_id", "messages", ["src", "id"])
    op.create_index("ix_messages_dst_id", "messages", ["dst", "id"])
    op.create_index("ix_messages_unsubscribes", "messages", ["id"], sqlite_where=sa.text("kind = 'unsubscribe'"))
