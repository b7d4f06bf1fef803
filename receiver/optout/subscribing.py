"""A list of subscriptions, imported: all of it counts, or none.

Its rows are checked, then prepared in small steps where nobody sees them, then taken. PostgreSQL takes them in one
transaction, at whose end it looks who said stop meanwhile. SQLite does up to 50,000 lines so; longer lists it takes in
slices of that, since its one writer may not keep replies waiting. A kill amid those leaves a part, which the next
import completes before anything else, and a worker soon where there is none.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from receiver.store import services, subscriptions
from receiver.store.audit_log import Note
from receiver.store.store import Store
from receiver.vocabulary import new_id
from receiver.vocabulary.ledger import timestamp

from .imports import Listed, batches, in_turn
from .sheet import BadRow, Progress, Rejected, Row, phone_in, silent, since_in

_AT_ONCE = 2_000
# Rows that were prepared longer ago than any import takes are of one that was broken off.
_BROKEN_OFF_AFTER = timedelta(days=1)
# Longer than a million lines are taken for: what two take at once is taken once, but both miscount.
_UNDER_WAY = timedelta(minutes=10)


class SubscriptionImport:
    """The subscriptions in a list. ``rows`` is how many were read, ``staged`` how many are prepared."""

    def __init__(self, store: Store, sheet: Listed, *, region: str) -> None:
        self._store, self._sheet, self._region = store, sheet, region
        self._id = new_id()
        with store.reading() as connection:
            self._services = services.codes(connection)
        self.rows = self.staged = 0

    def check(self, progress: Progress = silent) -> Iterator[Rejected]:
        """The rows that can't be taken, but for those of people who are opted out. Raises SheetError."""
        self.rows = 0
        for read in self._sheet.read(self._wish, progress):
            self.rows += 1
            if isinstance(read, Rejected):
                yield read

    def stage(self, progress: Progress = silent) -> None:
        """Prepare the good rows; nothing counts yet. Raises SheetError, StoreError."""
        good = (read for read in self._sheet.read(self._wish, progress) if not isinstance(read, Rejected))
        for some in batches(good, _AT_ONCE):
            in_turn(self._store, subscriptions.stage, self._id, some)
            self.staged += len(some)

    def opted_out(self) -> Iterator[Rejected]:
        """The prepared rows that will be left out, since their phones are opted out. Raises StoreError."""
        after = 0
        while True:
            with self._store.reading() as connection:
                some = subscriptions.staged_of_opted_out(connection, self._id, after=after, limit=_AT_ONCE)
            for row in some:
                cells = {"phone": row["phone"], "service": row["service"], "since": timestamp(row["since"])}
                yield Rejected(row["line"], "is opted out", [cells.get(name, "") for name in self._sheet.columns])
            if len(some) < _AT_ONCE:
                return
            after = some[-1]["line"]

    def take(self, progress: Progress = silent, *, note: Note | None = None) -> int:
        """Make what is prepared count; how many subscriptions are new. Raises StoreError.

        ``note`` is written with the first of them, for the audit: none counts without.
        """
        return _take(self._store, self._id, progress, note)

    def preview(self) -> int:
        """How many would be new if what is prepared were taken now; it changes nothing. Raises StoreError."""
        with self._store.reading() as connection:
            return subscriptions.staged_new(connection, self._id)

    def drop(self) -> None:
        """Forget what is prepared, unless a part of it counts: then the next import completes it. Raises StoreError."""
        with self._store.reading() as connection:
            begun = subscriptions.begun(connection)
        if self._id not in begun:
            _drop(self._store, self._id)

    def _wish(self, row: Row) -> dict[str, Any]:
        phone, since, service = phone_in(row, "phone", self._region), since_in(row), row.values.get("service", "")
        if service not in self._services:
            raise BadRow(f"there is no service {service!r}" if service else "has no service")
        return {"line": row.number, "phone": phone, "service": service, "since": since or datetime.now(UTC)}


def tidy(store: Store) -> None:
    """``resume`` what can't be under way any more: phones must not wait here for an import that never comes.

    Raises StoreError.
    """
    resume(store, begun_before=datetime.now(UTC) - _UNDER_WAY)


def resume(store: Store, *, begun_before: datetime | None = None) -> int:
    """Complete imports that were killed while they were taken, and drop what others left behind.

    How many subscriptions are new by that. Raises StoreError.
    """
    with store.reading() as connection:
        begun = subscriptions.begun(connection)
        over = begun if begun_before is None else subscriptions.begun(connection, before=begun_before)
        left = subscriptions.left_behind(connection, datetime.now(UTC) - _BROKEN_OFF_AFTER)
    new = sum(_take(store, import_id, silent) for import_id in over)
    for import_id in set(left) - set(begun):
        _drop(store, import_id)
    return new


def _take(store: Store, import_id: UUID, progress: Progress, note: Note | None = None) -> int:
    with store.reading() as connection:
        slices = subscriptions.slices(connection, import_id)
    if len(slices) > 1:
        in_turn(store, subscriptions.begin_taking, import_id, datetime.now(UTC))
    new = 0
    for part in slices:
        new += in_turn(store, _take_part, import_id, part, note)
        note = None
        progress(part.stop - 1, slices[-1].stop - 1)
    _drop(store, import_id)
    return new


def _take_part(connection: Any, import_id: UUID, part: range, note: Note | None) -> int:
    if note is not None:
        note.note(connection)
    return subscriptions.take_staged(connection, import_id, part, datetime.now(UTC))


def _drop(store: Store, import_id: UUID) -> None:
    with store.reading() as connection:
        slices = subscriptions.slices(connection, import_id)
    for part in slices:
        in_turn(store, subscriptions.unstage, import_id, part)
    in_turn(store, subscriptions.end_taking, import_id)
