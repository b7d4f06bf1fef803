"""Connections that are not what they seem: lost ones of PostgreSQL's pool, and SQLite files that are gone."""

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, exc, func, select, text

from receiver.store import sqlite_file as watched
from receiver.store import sqlite_idle
from receiver.store.engine import LOCK_TIMEOUT, open_engine
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


@pytest.mark.parametrize("deleted", [["-wal"], ["-shm"], ["-wal", "-shm"]], ids="".join)
def test_what_was_committed_to_a_log_that_is_deleted_is_rescued_and_no_second_one_is_begun_beside_it(
    sqlite_url: str, deleted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "_SETTLED_WITHIN", 0.0)
    monkeypatch.setattr(sqlite_idle, "_LOOK_EVERY", 600.0)
    one, other = Store(sqlite_url), Store(sqlite_url)
    one.record([reply("a")], [], WINDOW)
    other.record([reply("b")], [], WINDOW)
    for end in deleted:
        Path(f"{sqlite_file(sqlite_url)}{end}").unlink()
    with pytest.raises(Unavailable, match="deleted or replaced"):
        one.record([reply("c")], [], WINDOW)
    with pytest.raises(Unavailable, match="while it is in use"):
        one.record([reply("d")], [], WINDOW)
    with pytest.raises(Unavailable, match="deleted or replaced"), other.reading():
        pass
    one.record([reply("e")], [], WINDOW)
    other.record([reply("f")], [], WINDOW)
    alone = sqlite_file(sqlite_url).with_suffix(".copy")
    one.close()
    other.close()
    shutil.copyfile(sqlite_file(sqlite_url), alone)  # whatever is not in it now would be lost with the log
    with contextlib.closing(Store(f"sqlite:///{alone}")) as copied:
        assert [row.text for row in rows(copied, messages)] == ["a", "b", "c", "e", "f"]
        with copied.reading() as connection:
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"


def test_a_process_in_which_nothing_happens_does_not_keep_others_from_a_new_log(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_idle, "_LOOK_EVERY", 0.05)
    one, idle = Store(sqlite_url), Store(sqlite_url)
    idle.record([reply("a")], [], WINDOW)
    one.record([reply("b")], [], WINDOW)
    Path(f"{sqlite_file(sqlite_url)}-wal").unlink()
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(Unavailable):
            one.record([reply("c")], [], WINDOW)
            break
        assert time.monotonic() < deadline
    assert {row.text for row in rows(one, messages)} == {"a", "b", "c"}
    one.close()
    idle.close()


def test_files_that_come_and_go_by_right_are_no_alarm(sqlite_url: str) -> None:
    """Checkpoints, and the last one that closes: each time SQLite takes the log away itself."""
    store = Store(sqlite_url)
    for number in range(20):
        with contextlib.closing(Store(sqlite_url, pooled=False)) as beside:
            beside.record([reply(f"{number} beside")], [], WINDOW)
            store.record([reply(f"{number}")], [], WINDOW)
            beside.empty_log()
            with beside.reading() as connection:
                assert connection.scalar(select(func.count()).select_from(messages)) == 2 * number + 2
        if number % 4 == 3:
            store.close()
            assert not Path(f"{sqlite_file(sqlite_url)}-wal").exists()
    store.close()


def test_a_transaction_waits_for_others_no_longer_than_it_was_told(database_url: str) -> None:
    store = Store(database_url)
    says = "PRAGMA busy_timeout" if store.engine == "sqlite" else "SHOW lock_timeout"
    told: list[object] = []
    for waits in (LOCK_TIMEOUT, 0.3, LOCK_TIMEOUT):
        with store.writing(waits) as connection:
            told.append(connection.scalar(text(says)))
    assert told == ([4000, 300, 4000] if store.engine == "sqlite" else ["4s", "300ms", "4s"])
    store.close()
