"""The schema brought to a revision, by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from . import feed

# "receiver" in ASCII: whoever holds this advisory lock migrates.
_MIGRATION_LOCK = 0x7265636569766572
# What migrations on a live database may wait for a lock, so that they don't queue everybody behind them.
_LOCK_TIMEOUT = "5s"

# The newest revision. A test holds it to the scripts, so that starting up need not load Alembic.
HEAD = "0013"


def current(engine: Engine) -> str | None:
    """The database's revision; None where it was never migrated."""
    with engine.connect().execution_options(reading=True) as connection:
        return revision_of(connection)


def revision_of(connection: Connection) -> str | None:
    """As ``current``, within a transaction."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_known(revision: str) -> bool:
    """Whether this receiver's migrations lead to it; else it is a newer one's."""
    return revision.isascii() and revision.isdigit() and int(revision) <= int(HEAD)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply what is missing up to ``revision``; safe to call from many processes at once."""
    with locked(engine) as connection:
        upgrade_within(connection, revision)


def upgrade_within(connection: Connection, revision: str = "head") -> None:
    """As ``upgrade``, within a transaction that ``locked`` has begun."""
    from alembic import command

    command.upgrade(_configured(connection), revision)
    if revision_of(connection) == HEAD:
        feed.realign(connection)


def downgrade(engine: Engine, revision: str) -> None:
    """Take back what came after ``revision`` (``base``: everything, rows included)."""
    with locked(engine) as connection:
        downgrade_within(connection, revision)


def downgrade_within(connection: Connection, revision: str) -> None:
    """As ``downgrade``, within a transaction that ``locked`` has begun."""
    from alembic import command

    command.downgrade(_configured(connection), revision)


def ensure_current(engine: Engine) -> bool:
    """Upgrade where needed; whether it was. Fast where it was not."""
    if current(engine) == HEAD:
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                feed.realign(connection)
        return False
    upgrade(engine)
    return True


def _configured(connection: Connection) -> Any:
    from alembic.config import Config

    import migrations

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def locked(engine: Engine) -> Iterator[Connection]:
    """A transaction in which nobody else migrates; it may wait some seconds for others' locks."""
    # SQLite: BEGIN IMMEDIATE is the lock.
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        yield connection
