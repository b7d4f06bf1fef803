"""Alembic's entry: runs the migrations on the connection that ``receiver.store.migrate`` hands over."""

from alembic import context

from receiver.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Both databases roll a failed migration back whole: on SQLite because BEGIN is ours (receiver.store.engine).
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
