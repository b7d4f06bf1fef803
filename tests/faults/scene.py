"""Where faults are injected: a receiver of its own under load, its database, and what lies between the two.

with Scene("postgresql", folder, postgres) as scene:
    episode = scene.suffer(fault, seconds=1)
"""

import contextlib
import os
import resource
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Literal, LiteralString, Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from receiver.gateway.simulator.load import Account, Audit, Load
from receiver.gateway.simulator.target import Target
from receiver.optout.verify import Verification, verify
from receiver.store.store import Store
from tests.postgres import Postgres, conninfo, create_database, drop_database
from tests.serving import Server

from .proxy import Proxy

Engine = Literal["sqlite", "postgresql"]

CONNECTIONS = 16
UNSUBSCRIBES = 0.1
# Replies a second: what the machine that is shared has room for, and not so few that a fault meets none.
RATE = 600.0
HAPPENS_WITHIN = 45.0
# So many have to be acknowledged for it to go on.
_SOME = 20
_SETTINGS = {"RECEIVER_ACK_TIMEOUT": "1", "RECEIVER_SPOOL_MIN_FREE_MB": "0"}


class NotSeen(Exception):
    """What had to happen did not; the message says what, and ends with the server's log."""


class Felt(Enum):
    """How a fault shows while it lasts."""

    BRIEFLY = auto()
    """It is over at once."""
    HELD_UP = auto()
    """Nobody answers."""
    SPOOLED = auto()
    """The spool takes over: all is acknowledged."""
    REFUSED = auto()
    """Nothing can be durable anywhere: all is answered -4."""
    BY_NEWCOMERS = auto()
    """Who is connected has answers; others wait for theirs."""


class Fault(Protocol):
    """What is done to a scene for as long as a block lasts, and mended at its end."""

    @property
    def name(self) -> str: ...
    @property
    def felt(self) -> Felt: ...
    def strike(self, scene: "Scene") -> AbstractContextManager[None]: ...


@dataclass(frozen=True)
class Episode:
    """One fault under load: what was answered, what is stored, and how long it took from its mending on."""

    fault: Fault
    accounts: Sequence[Account]
    audits: Sequence[Audit]
    answered_after: float
    """Seconds until a reply was acknowledged."""
    stored_after: float
    """Seconds until all that was acknowledged before was in the database."""

    @property
    def acknowledged(self) -> int:
        return sum(account.acknowledged for account in self.accounts)

    @property
    def refused(self) -> Counter[str]:
        return sum((account.refused for account in self.accounts), Counter())

    @property
    def lost(self) -> int:
        return sum(len(audit.lost) + len(audit.not_in_force) for audit in self.audits)

    @property
    def doubled(self) -> int:
        return sum(len(audit.doubled) for audit in self.audits)


class Scene:
    """A callback role on a database of its own. ``postgres`` is needed for PostgreSQL: it is stopped and frozen."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        postgres: Postgres | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.engine = engine
        self.folder = folder
        self.loads: list[Load] = []
        self._postgres = postgres
        self._settings = {**_SETTINGS, **(settings or {})}
        self._proxy: Proxy | None = None
        self._server: Server | None = None
        self._stack = ExitStack()
        self.database_url = ""

    def __enter__(self) -> "Scene":
        with ExitStack() as stack:
            self.database_url = through = f"sqlite:///{self.sqlite_path}"
            if self.engine == "postgresql":
                self.postgres.start()
                self.database_url = create_database(self.postgres.url)
                stack.callback(lambda: drop_database(self.postgres.url, self.database_url))
                stack.callback(self.postgres.start)  # an error may have left it down
                self._proxy = stack.enter_context(Proxy(self.postgres.port))
                parts = urlsplit(self.database_url)
                through = urlunsplit(parts._replace(netloc=f"postgres@127.0.0.1:{self._proxy.port}"))
            self._server = stack.enter_context(Server(through, self.folder, self._settings))
            stack.callback(self.stop_load)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stack.close()

    @property
    def server(self) -> Server:
        assert self._server is not None
        return self._server

    @property
    def postgres(self) -> Postgres:
        assert self._postgres is not None
        return self._postgres

    @property
    def proxy(self) -> Proxy:
        assert self._proxy is not None
        return self._proxy

    @property
    def sqlite_path(self) -> Path:
        return self.folder / "receiver.db"

    @property
    def worker(self) -> int:
        """The process that answers."""
        (pid,) = self.server.workers()
        return pid

    def suffer(self, fault: Fault, *, seconds: float = 0.0, before: float = 0.2) -> Episode:
        """Inject ``fault`` under load, leave it for ``seconds`` once it is felt, and see it through to its end.

        Raises NotSeen where it is not felt, or where the receiver does not go on by itself.
        """
        first = len(self.loads)
        self.start_load()
        self.until_acknowledged()
        time.sleep(before)
        with fault.strike(self):
            self._until_felt(fault.felt)
            time.sleep(0.0 if fault.felt is Felt.BRIEFLY else seconds)
            mended = time.monotonic()
        answered_after = self._answered() - mended
        self.until(self._has_stored, "the spool is emptied")
        stored_after = time.monotonic() - mended
        self.until_acknowledged()
        self.stop_load()
        self.server.wait_until_stored()
        loads = self.loads[first:]
        return Episode(
            fault, [load.account for load in loads], [self.audit(load) for load in loads], answered_after, stored_after
        )

    def audit(self, load: Load) -> Audit:
        with contextlib.closing(Store(self.database_url, pooled=False)) as store:
            return load.audit(store)

    def verified(self) -> Verification:
        """The ledger and the register, verified."""
        with contextlib.closing(Store(self.database_url, pooled=False)) as store:
            return verify(store)

    def start_load(self, connections: int = CONNECTIONS) -> None:
        self.loads.append(
            Load(Target.of(self.server.url), connections=connections, rate=RATE, unsubscribes=UNSUBSCRIBES)
        )
        self.loads[-1].start()

    def stop_load(self) -> None:
        for load in self.loads:
            load.stop()

    def until_acknowledged(self) -> None:
        """Until some more replies were acknowledged, of those that are being pushed."""
        before = self._acknowledged()
        self.until(lambda: self._acknowledged() >= before + _SOME, "replies are acknowledged")

    def until_spooled(self) -> None:
        self.until(lambda: any(self.server.spool.waiting()), "the spool takes over")

    def until_refused(self) -> None:
        before = self._refused()
        self.until(lambda: self._refused() >= before + _SOME, "replies are refused")

    def until_logged(self, words: str) -> None:
        before = self.server.log.count(words)
        self.until(lambda: self.server.log.count(words) > before, f"the log says {words}")

    def until(self, has_happened: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + HAPPENS_WITHIN
        while not has_happened():
            if time.monotonic() > deadline:
                told = "\n".join(self.server.log.splitlines()[-30:])
                raise NotSeen(f"it did not come to pass within {HAPPENS_WITHIN:.0f} s that {what}\n{told}")
            time.sleep(0.01)

    @contextlib.contextmanager
    def limited(self, limit: int, soft: int) -> Iterator[None]:
        """While it lasts the process that answers has another limit (RLIMIT_…)."""
        worker = self.worker
        before = resource.prlimit(worker, limit)
        resource.prlimit(worker, limit, (soft, before[1]))
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(worker, limit, before)

    def administer(self, statement: LiteralString, *, cut_off: bool = False) -> None:
        """Change PostgreSQL's database, ``{}`` in the statement, and ``cut_off`` who is connected to it."""
        name = urlsplit(self.database_url).path.removeprefix("/")
        with psycopg.connect(conninfo(self.postgres.url), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
            if cut_off:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    @contextlib.contextmanager
    def locked(self, statement: LiteralString = "LOCK TABLE messages") -> Iterator[None]:
        """While it lasts a transaction is open that has what ``statement`` locks; on SQLite, all."""
        if self.engine == "sqlite":
            with self.sqlite() as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield
        else:
            with psycopg.connect(conninfo(self.database_url)) as transaction:
                transaction.execute(statement)
                yield

    @contextlib.contextmanager
    def sqlite(self) -> Iterator[sqlite3.Connection]:
        """A connection of our own."""
        with contextlib.closing(sqlite3.connect(self.sqlite_path, timeout=30, isolation_level=None)) as connection:
            yield connection

    @contextlib.contextmanager
    def without_database(self) -> Iterator[None]:
        """While it lasts there is none, and the spool has taken over."""
        if self.engine == "sqlite":
            with self.locked():
                self.until_spooled()
                yield
        else:
            self.postgres.stop("immediate")
            try:
                self.until_spooled()
                yield
            finally:
                self.postgres.start()

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.worker}/fd"))

    def _until_felt(self, felt: Felt) -> None:
        if felt is Felt.SPOOLED:
            self.until_spooled()
            self.until_acknowledged()
        elif felt is Felt.REFUSED:
            self.until_refused()
        elif felt is Felt.BY_NEWCOMERS:
            self.until_acknowledged()

    def _answered(self) -> float:
        """When a reply that nobody counts is acknowledged."""
        while True:
            with contextlib.suppress(OSError, ValueError):
                if self.server.get("/recv.asp?src=13900000001&dst=1069&msg=again") == b"0":
                    return time.monotonic()
            time.sleep(0.01)

    def _has_stored(self) -> bool:
        return not any(self.server.spool.waiting())

    def _acknowledged(self) -> int:
        return sum(load.tally.acknowledged for load in self.loads)

    def _refused(self) -> int:
        return sum(load.account.refused.total() for load in self.loads[-1:])
