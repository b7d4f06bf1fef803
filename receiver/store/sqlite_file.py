"""Whether SQLite's file is still the one that a connection has open: a deleted one takes every commit with it.

SQLite itself never looks: it goes on writing to a file that has no name any more.
"""

import os
import sqlite3
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, event

_OPENED = "sqlite file"


def watch(engine: Engine) -> None:
    """Have each connection know its file, and make no new one where there was one: that would be an empty database."""
    path = engine.url.database
    if not path or path == ":memory:":
        return
    was_there = False

    def refuse_gone(*_: Any) -> None:
        if was_there and not os.path.exists(path):
            raise sqlite3.OperationalError("its file is gone: put it back, or a backup of it")

    def remember(_connection: Any, record: Any) -> None:
        nonlocal was_there
        was_there = True
        record.info[_OPENED] = (path, _identity(path))

    event.listen(engine, "do_connect", refuse_gone)
    event.listen(engine, "connect", remember)


def is_lost(info: Mapping[Any, Any]) -> bool:
    """Whether the connection with this ``info`` has a file open that is not at its place any more."""
    opened = info.get(_OPENED)
    return opened is not None and _identity(opened[0]) != opened[1]


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
