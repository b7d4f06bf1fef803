"""Connections to SQLite and PostgreSQL, set so that a commit is durable when it returns (design: guarantee 1)."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, exc, make_url
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from receiver import tally

from . import sqlite_file, sqlite_idle

# Seconds. Long enough for another writer's transaction, shorter than the wait of whoever waits for us.
LOCK_TIMEOUT = 4
RELAXED_LOCK_TIMEOUT = 2
CONNECT_TIMEOUT = 4
# SQLSTATE of a write where nothing may be written (PostgreSQL, appendix A).
_READ_ONLY = "25006"


def open_engine(url: str | URL, *, pooled: bool = True, relaxed: bool = False) -> Engine:
    """An engine for ``url``; nothing is connected yet.

    ``pooled=False`` is for processes that hold one connection themselves, or none for long. ``relaxed`` is for what may
    be lost: each statement is a transaction, which is not on disk when it returns.
    """
    parsed = make_url(url)
    # Parameters are phones and texts: no error may quote them.
    options: dict[str, Any] = {"hide_parameters": True} | ({} if pooled else {"poolclass": NullPool})
    timeout, durable = (RELAXED_LOCK_TIMEOUT, "off") if relaxed else (LOCK_TIMEOUT, "on")
    if parsed.get_backend_name() == "sqlite":
        # The driver's autocommit mode: every BEGIN is ours, below.
        options["connect_args"] = {"timeout": timeout, "isolation_level": None}
    else:
        options["connect_args"] = {
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": "receiver",
            "options": f"-c lock_timeout={timeout * 1000} -c synchronous_commit={durable} -c timezone=UTC",
            # A peer that vanished is noticed in seconds, not in the kernel's two hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        }
        if relaxed:
            options["isolation_level"] = "AUTOCOMMIT"
        elif pooled:
            options["pool_pre_ping"] = True
    engine = create_engine(parsed, **options)
    _count_connections(engine)
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _relax if relaxed else _set_pragmas)
        sqlite_file.watch(engine)
        if pooled:
            sqlite_idle.let_go(engine)
        if not relaxed:
            event.listen(engine, "begin", _begin_immediate)
    else:
        event.listen(engine, "handle_error", _replace_lost)
    return engine


def _count_connections(engine: Engine) -> None:
    made, are_open, in_use = tally.DATABASE_CONNECTS.of(), tally.DATABASE_CONNECTIONS.of(), tally.DATABASE_IN_USE.of()

    def connected(*_: Any) -> None:
        made.add()
        are_open.add()

    event.listen(engine, "connect", connected)
    event.listen(engine, "close", lambda *_: are_open.add(-1))
    event.listen(engine, "close_detached", lambda *_: are_open.add(-1))
    event.listen(engine, "checkout", lambda *_: in_use.add())
    event.listen(engine, "checkin", lambda *_: in_use.add(-1))


@contextmanager
def begun(connection: Connection, waits: float = LOCK_TIMEOUT) -> Iterator[None]:
    """A transaction that waits for others no longer than ``waits`` seconds. Raises SQLAlchemyError."""
    if waits == LOCK_TIMEOUT:
        with connection.begin():
            yield
    elif connection.dialect.name == "sqlite":
        held: Any = connection.connection.dbapi_connection
        held.execute(f"PRAGMA busy_timeout={int(waits * 1000)}")
        try:
            with connection.begin():
                yield
        finally:
            held.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT * 1000}")
    else:
        with connection.begin():
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(waits * 1000)}")
            yield


def empty_log(engine: Engine) -> bool:
    """Copy SQLite's write-ahead log into the file and cut it off; whether nobody was in the way.

    Raises SQLAlchemy's OperationalError.
    """
    if engine.dialect.name != "sqlite":
        return True
    # Not through SQLAlchemy, which would begin a transaction.
    pooled = engine.raw_connection()
    try:
        cursor = pooled.cursor()
        # Most of it while others write, and then only what is left: that they would have to wait for.
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            (was_busy, *_), *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT * 1000}")
    except sqlite3.Error as failure:
        raise exc.OperationalError("emptying the log", None, failure) from failure
    finally:
        pooled.close()
    return not was_busy


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    _set_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What is deleted or changed is overwritten with zeros: else a copy would stay, which no erasure finds. The receive
    # path deletes nothing.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _relax(connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    _set_wal(cursor)
    # A power failure may lose the last transactions. OFF would save a write to disk every thousand pages, and could
    # leave a file that nobody can read.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _set_wal(cursor: sqlite3.Cursor) -> None:
    # Of several that open a new file at once, all but one are told that it is locked, without any waiting.
    deadline = time.monotonic() + RELAXED_LOCK_TIMEOUT
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _replace_lost(failure: ExceptionContext) -> None:
    # A pooled connection that breaks while it is asked whether it stands may fail with an error about our own settings,
    # since psycopg believes it busy. Whatever it fails with, it does not stand.
    # A session that was begun while the database was set read-only stays so for as long as it lives.
    if failure.is_pre_ping or getattr(failure.original_exception, "sqlstate", None) == _READ_ONLY:
        failure.is_disconnect = True


def _begin_immediate(connection: Any) -> None:
    # A deferred transaction that reads first and writes later can fail at the write, whatever the timeout.
    # Readers say so with the execution option and take no lock.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
