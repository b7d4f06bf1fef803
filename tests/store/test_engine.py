"""Connections that are not what they seem: lost ones of PostgreSQL's pool, and SQLite files that are gone."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, exc, select

from receiver.store.engine import open_engine
from receiver.store.errors import Unavailable
from receiver.store.store import Store
from receiver.store.tables import messages
from tests.intake.replies import reply, rows
from tests.store.test_record import WINDOW


def test_a_pooled_connection_that_breaks_while_it_is_asked_is_replaced(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        lost: Any = connection.connection.dbapi_connection
    # As psycopg leaves a connection that broke while an answer was waited for: it takes it for busy.
    lost.pgconn.send_query(b"SELECT pg_sleep(60)")
    with engine.connect() as connection:
        assert connection.scalar(select(1)) == 1
        assert connection.connection.dbapi_connection is not lost
    engine.dispose()


def test_a_session_begun_while_the_database_was_read_only_is_replaced(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = on")
        connection.commit()
    with pytest.raises(exc.InternalError, match="read-only"), engine.begin() as connection:
        connection.execute(delete(messages))
    with engine.begin() as connection:
        connection.execute(delete(messages))
    engine.dispose()


def sqlite_file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_commit_into_a_file_that_was_deleted_is_no_commit(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    store.record([reply("a")], [], WINDOW)
    sqlite_file(sqlite_url).rename(sqlite_file(sqlite_url).with_suffix(".kept"))
    with pytest.raises(Unavailable, match="deleted or replaced"):
        store.record([reply("b")], [], WINDOW)
    for _ in range(2):
        with pytest.raises(Unavailable, match="its file is gone"):
            store.record([reply("c")], [], WINDOW)
    assert not sqlite_file(sqlite_url).exists(), "an empty database took its place"
    sqlite_file(sqlite_url).with_suffix(".kept").rename(sqlite_file(sqlite_url))
    store.record([reply("d")], [], WINDOW)
    texts = [row.text for row in rows(store, messages)]
    assert (texts[0], texts[-1]) == ("a", "d")
    store.close()


def test_a_file_that_was_replaced_is_used_after_one_failure(sqlite_url: str, migrated_sqlite: Path) -> None:
    store = Store(sqlite_url)
    store.record([reply("a")], [], WINDOW)
    other = sqlite_file(sqlite_url).with_suffix(".restored")
    shutil.copyfile(migrated_sqlite, other)
    for suffix in ("-wal", "-shm"):
        Path(f"{sqlite_file(sqlite_url)}{suffix}").unlink(missing_ok=True)
    other.rename(sqlite_file(sqlite_url))
    with pytest.raises(Unavailable, match="deleted or replaced"):
        store.record([reply("b")], [], WINDOW)
    store.record([reply("c")], [], WINDOW)
    assert [row.text for row in rows(store, messages)] == ["c"]
    store.close()
