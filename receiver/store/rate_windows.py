"""Counters of requests in windows of time, shared by every process: they may be lost, and never hold up a reply."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    MetaData,
    String,
    Table,
    bindparam,
    case,
    cast,
    delete,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.schema import CreateTable

from .engine import open_engine
from .store import translated
from .tables import metadata

# What is in the main database on PostgreSQL alone.
apart = MetaData(naming_convention=metadata.naming_convention)

rate_windows = Table(
    "rate_windows",
    apart,
    Column("name", String(200), primary_key=True),
    Column("count", BigInteger, nullable=False),
    # Seconds since 1970.
    Column("ends_at", Double, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Window:
    """How often something was counted since its window began, and the seconds until that ends."""

    count: int
    seconds_left: float


class RateWindows:
    """The counters that belong to the database with this URL.

    On PostgreSQL they are an unlogged table there. SQLite has one lock for all that write to a file, and replies must
    never wait for it: there they are a file of their own beside the database's. Every method raises StoreError.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(_beside(url), relaxed=True)
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._is_made = not is_sqlite
        # One clock for all who count: the server's, or on SQLite, where they are on one machine, the machine's.
        self._now: ColumnElement[Any] = bindparam("clock", type_=Double)
        if not is_sqlite:
            self._now = cast(func.extract("epoch", func.clock_timestamp()), Double)
        self._count = self._counting(sqlite.insert(rate_windows) if is_sqlite else postgresql.insert(rate_windows))

    def count(self, name: str, seconds: int, amount: int = 1) -> Window:
        """Count ``amount`` more under ``name``, in one step: a window begins with what is first counted in it."""
        given = {"name": name, "amount": amount, "seconds": seconds, "clock": time.time()}
        with self._transaction() as connection:
            return Window(*connection.execute(self._count, given).one())

    def look(self, name: str) -> Window:
        """What is counted under ``name`` now."""
        wanted = select(rate_windows.c.count, rate_windows.c.ends_at - self._now)
        running = wanted.where(rate_windows.c.name == name, rate_windows.c.ends_at > self._now)
        with self._transaction() as connection:
            found = connection.execute(running, {"clock": time.time()}).one_or_none()
        return Window(*found) if found else Window(0, 0.0)

    def forget(self, name: str | None = None) -> int:
        """Count anew under ``name``, or under all names; how many there were."""
        statement = delete(rate_windows)
        with self._transaction() as connection:
            return connection.execute(
                statement if name is None else statement.where(rate_windows.c.name == name)
            ).rowcount

    def clean(self) -> int:
        """Take away what has ended; how many there were."""
        # Who counts meanwhile is not waited for: that window has just begun anew.
        ended = select(rate_windows.c.name).where(rate_windows.c.ends_at <= self._now)
        chosen = rate_windows.c.name.in_(ended.with_for_update(skip_locked=True))
        with self._transaction() as connection:
            return connection.execute(delete(rate_windows).where(chosen), {"clock": time.time()}).rowcount

    def close(self) -> None:
        self._engine.dispose()

    def _counting(self, insert: Any) -> Any:
        # Made once: to write it anew for each request would take longer than it takes itself.
        amount, ends_at = bindparam("amount", type_=BigInteger), self._now + bindparam("seconds", type_=Double)
        is_over = rate_windows.c.ends_at <= self._now
        changed = {
            "count": case((is_over, amount), else_=rate_windows.c.count + amount),
            "ends_at": case((is_over, ends_at), else_=rate_windows.c.ends_at),
        }
        inserted = insert.values(name=bindparam("name"), count=amount, ends_at=ends_at)
        upserted = inserted.on_conflict_do_update(index_elements=[rate_windows.c.name], set_=changed)
        return upserted.returning(rate_windows.c.count, rate_windows.c.ends_at - self._now)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with translated():
            if not self._is_made:
                with self._engine.begin() as connection:
                    connection.execute(CreateTable(rate_windows, if_not_exists=True))
                self._is_made = True
            with self._engine.begin() as connection:
                yield connection


def _beside(url: str) -> URL:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return parsed
    return parsed.set(database=f"{parsed.database.removesuffix('.db')}-limits.db")
