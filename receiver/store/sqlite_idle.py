"""Idle connections to SQLite files that are deleted: let go, since they keep everybody from a new start."""

import logging
import os
import threading
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from . import sqlite_file

_log = logging.getLogger(__name__)

_LOOK_EVERY = 5.0


def let_go(engine: Engine) -> None:
    """Have a thread look at the pooled connections now and then, from the first one until the pool is disposed of.

    Whoever uses one looks for itself. A process in which nothing happens would hold its own for ever: what was
    committed to a deleted log could not be rescued, and nobody could begin another.
    """
    ended: threading.Event | None = None
    pid: int | None = None

    def begin(*_: Any) -> None:
        nonlocal ended, pid
        if ended is None or pid != os.getpid():  # a forked process has none of its parent's threads
            ended, pid = threading.Event(), os.getpid()
            threading.Thread(target=_look, args=(engine, ended), name="sqlite-files", daemon=True).start()

    def end(*_: Any) -> None:
        nonlocal ended
        if ended is not None:
            ended.set()
            ended = None

    event.listen(engine, "connect", begin)
    event.listen(engine, "engine_disposed", end)


def _look(engine: Engine, ended: threading.Event) -> None:
    while not ended.wait(_LOOK_EVERY):
        try:
            with engine.connect() as connection:
                is_lost = sqlite_file.is_lost(connection.info)
                if is_lost:
                    sqlite_file.rescue(connection)
        except SQLAlchemyError as failure:
            _log.debug("the database can't be looked at: %s", failure)
            continue
        if is_lost:
            engine.dispose()
