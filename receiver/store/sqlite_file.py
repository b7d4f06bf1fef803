"""Whether SQLite's files are still those that a connection has open: deleted ones take every commit with them.

SQLite itself never looks: it goes on writing to a file that has no name any more, and so it does to its log (``-wal``),
where commits are until they are copied into the database.
"""

import logging
import os
import sqlite3
import time
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, event

_log = logging.getLogger(__name__)

_Identity: TypeAlias = tuple[int, int]

_OPENED = "sqlite files"
# What SQLite keeps beside the database while anybody has it open: the log, and its index that all who use it share.
_BESIDE = ("-wal", "-shm")
# Seconds that those who come and go may take with the files.
_SETTLED_WITHIN = 1.0


def watch(engine: Engine) -> None:
    """Have each connection know its files, and make no new ones where others are in use.

    A new database would be an empty one; a new log beside one that somebody still writes would destroy the database.
    """
    path = engine.url.database
    if not path or path == ":memory:":
        return
    was_there = False

    def refuse_gone(*_: Any) -> None:
        if was_there and not os.path.exists(path):
            raise sqlite3.OperationalError("its file is gone: put it back, or a backup of it")
        _refuse_second_log(path)

    def remember(_connection: Any, record: Any) -> None:
        nonlocal was_there
        was_there = True
        record.info[_OPENED] = path, _identity(path), _beside(path)

    event.listen(engine, "do_connect", refuse_gone)
    event.listen(engine, "connect", remember)


def is_lost(info: dict[Any, Any]) -> bool:
    """Whether the connection with this ``info`` has a file open that is not at its place any more."""
    opened = info.get(_OPENED)
    if opened is None:
        return False
    path, file, beside = opened
    if _identity(path) != file:
        return True
    found = _beside(path)
    if None in beside:  # a database that was just made: they came with its first transaction
        info[_OPENED] = path, file, found
        return False
    return bool(found != beside)


def rescue(connection: Connection) -> None:
    """Copy into the database what was committed to a log that is lost: through who has it open it can still be read."""
    path, file, _ = connection.info[_OPENED]
    if _identity(path) != file:
        return
    held: Any = connection.connection.dbapi_connection
    try:
        ((_, size, copied),) = held.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        told = f"{copied} of {size} pages are copied into it"
    except sqlite3.Error as failure:
        told = f"nothing could be copied into it: {failure}"
    _log.error("the log beside %s was deleted: of what was committed to it %s", path, told)


def _refuse_second_log(path: str) -> None:
    """Raise OperationalError where the database is in use, and the log or its index is not at its place.

    Both are there as long as anybody has the database open: where one is missing, either nobody has, or it was deleted
    under somebody. Who has the database for itself alone knows which.
    """
    deadline = time.monotonic() + _SETTLED_WITHIN
    while None in _beside(path) and not _is_unused(path):
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(
                "its log (-wal or -shm) was deleted while it is in use: restart every process of the receiver on it"
            )
        time.sleep(0.02)


def _is_unused(path: str) -> bool:
    """Whether nobody has the database open, or there is none. What else is wrong with it, others find out."""
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return True
    alone = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        # So it is locked before the log is opened, which would make one.
        alone.execute("PRAGMA locking_mode=EXCLUSIVE")
        alone.execute("BEGIN IMMEDIATE")
        alone.execute("ROLLBACK")
    except sqlite3.Error as failure:
        return getattr(failure, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY
    finally:
        alone.close()
    return True


def _beside(path: str) -> tuple[_Identity | None, ...]:
    return tuple(_identity(path + end) for end in _BESIDE)


def _identity(path: str) -> _Identity | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
