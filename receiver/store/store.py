"""The door to the database for the rest of the product: transactions, and errors that say what a failure means."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

from sqlalchemy import Connection, exc, make_url, select

from receiver import tally
from receiver.vocabulary import Quarantined, Reply

from . import migrate, sqlite_file
from .engine import LOCK_TIMEOUT, begun, empty_log, open_engine
from .errors import Conflict, Refused, Unavailable
from .failure import is_unavailable, is_worth_retrying
from .record import record
from .services import Filing
from .tables import ledger_head

_ATTEMPTS = 5
_FILING_SECONDS = 2.0


class Store:
    """One database, by its URL. Nothing is connected until it is used."""

    def __init__(self, url: str, *, pooled: bool = True) -> None:
        try:
            self._engine = open_engine(url, pooled=pooled)
        except (exc.ArgumentError, ValueError):
            raise Unavailable(
                "its URL can't be read: write postgresql+psycopg://user:password@host:5432/name"
            ) from None
        self._filing: Filing | None = None
        self._filing_read = 0.0
        self.description = make_url(url).render_as_string(hide_password=True)
        self.engine = self._engine.dialect.name

    def record(self, replies: Sequence[Reply], quarantined: Sequence[Quarantined], duplicate_window: timedelta) -> None:
        """Store a batch in one durable transaction, with what its unsubscribes entail (``store.record``).

        Raises Unavailable or Refused.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.writing() as connection:
                    record(connection, replies, quarantined, duplicate_window, self._current_filing(connection))
                return
            except Conflict as conflict:
                if attempt == _ATTEMPTS:
                    raise Unavailable(f"{_ATTEMPTS} attempts met other writers: {conflict}") from conflict

    def _current_filing(self, connection: Connection) -> Filing:
        # A service's numbers change once in months: asked for every two seconds, they cost a reply nothing.
        now = time.monotonic()
        if self._filing is None or now - self._filing_read > _FILING_SECONDS:
            self._filing, self._filing_read = Filing.load(connection), now
        return self._filing

    def probe(self, waits: float = LOCK_TIMEOUT) -> None:
        """Prove that a reply could be stored now, or within ``waits`` seconds. Raises Unavailable."""
        with self.writing(waits) as connection:
            connection.execute(select(ledger_head.c.sequence)).one()

    @contextmanager
    def writing(self, waits: float = LOCK_TIMEOUT) -> Iterator[Connection]:
        """A transaction that is durable once this block is left without an error. Raises StoreError.

        ``waits`` are the seconds that it waits for other transactions.
        """
        with translated(), self._engine.connect() as connection:
            with begun(connection, waits):
                yield connection
            # While it is open: the last one that closes takes the log away, by right.
            is_lost = sqlite_file.is_lost(connection.info)
            if is_lost:
                sqlite_file.rescue(connection)
        if is_lost:
            self._give_up()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and holds no one up. Raises StoreError."""
        with translated(), self._engine.connect().execution_options(reading=True) as connection:
            if not sqlite_file.is_lost(connection.info):
                yield connection
                return
            sqlite_file.rescue(connection)
        self._give_up()

    def _give_up(self) -> NoReturn:
        self._engine.dispose()
        raise Unavailable(
            "its file or its log (-wal, -shm) was deleted or replaced while it was open: what was written is not stored"
        )

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """As ``reading``, with every statement seeing the same state, however many there are."""
        with self.reading() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    def empty_log(self) -> bool:
        """Have nothing in SQLite's write-ahead log, which keeps copies of what was changed or deleted since.

        False where others use the database at this moment: nobody waits for it. On PostgreSQL there is nothing to do.
        Raises StoreError.
        """
        with translated():
            return empty_log(self._engine)

    def revision(self) -> str | None:
        """The schema's revision; None where it was never migrated. Raises StoreError."""
        with translated():
            return migrate.current(self._engine)

    def ensure_current(self) -> bool:
        """Migrate where the schema is older than the code; whether it was. Raises StoreError."""
        with translated():
            return migrate.ensure_current(self._engine)

    def upgrade(self, revision: str) -> None:
        """Apply migrations up to ``revision`` or ``head``. Raises StoreError."""
        with translated():
            migrate.upgrade(self._engine, revision)

    def downgrade(self, revision: str) -> None:
        """Take migrations back to ``revision`` or ``base``. Raises StoreError."""
        with translated():
            migrate.downgrade(self._engine, revision)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A transaction as ``writing``, in which nobody else changes the schema. Raises StoreError."""
        with translated(), migrate.locked(self._engine) as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Have what the database raises in this block come as StoreError."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        # The first line of the driver's words: what follows quotes the row, which no log may hold.
        cause = getattr(error, "orig", None) or error
        message = f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
        kind = Conflict if is_worth_retrying(error) else Unavailable if is_unavailable(error) else Refused
        tally.DATABASE_FAILURES.of(kind.__name__.lower()).add()
        raise kind(message) from error
