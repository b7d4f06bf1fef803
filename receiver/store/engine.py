"""Connections to SQLite and PostgreSQL, set so that a commit is durable when it returns (design: guarantee 1)."""

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

# Seconds. Long enough for another writer's transaction, shorter than the wait of whoever waits for us.
LOCK_TIMEOUT = 4
RELAXED_LOCK_TIMEOUT = 2
CONNECT_TIMEOUT = 4


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
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _relax if relaxed else _set_pragmas)
        if not relaxed:
            event.listen(engine, "begin", _begin_immediate)
    return engine


def wipe_what_is_freed(connection: Connection) -> None:
    """Have SQLite overwrite with zeros all that this transaction takes out of the file; PostgreSQL leaves it to VACUUM.

    Without it a freed page keeps what it held, until it is used again.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    _set_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What a changed row was is overwritten where that costs no further write to disk: else a copy would stay that no
    # erasure finds (wipe_what_is_freed).
    cursor.execute("PRAGMA secure_delete=FAST")
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


def _begin_immediate(connection: Any) -> None:
    # A deferred transaction that reads first and writes later can fail at the write, whatever the timeout.
    # Readers say so with the execution option and take no lock.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
