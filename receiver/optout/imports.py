"""A list of opt-outs, brought into the register: checked whole first, then taken in small steps.

Every step is a transaction so short that a reply that says 0000 never waits long for it, and is followed by a pause of
the same length: on SQLite who waits for the lock asks for it now and then, and must find it free.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from receiver.store import optouts
from receiver.store.audit_log import Note
from receiver.store.errors import Conflict
from receiver.store.ledger import Chain
from receiver.store.store import Store
from receiver.vocabulary import new_id
from receiver.vocabulary.ledger import Event, EventType, timestamp
from receiver.vocabulary.register import Source

from .sheet import BadRow, Progress, Rejected, Row, named, phone_in, silent, since_in

# Phones of one transaction, which holds the ledger's lock: 0.15 s on SQLite, 0.2 s on PostgreSQL, on a busy machine.
_AT_ONCE = 1_000
_LONGEST_PAUSE = 0.5
_LONGEST_REASON = 1_000
_ATTEMPTS = 5

_P = ParamSpec("_P")
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


class Listed(Protocol):
    """A list that can be read over and over: a sheet, or JSON lines."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def columns(self) -> Sequence[str]:
        """Its headings; none where it has none."""

    def read(self, reader: Callable[[Row], _Item], progress: Progress = silent) -> Iterator[_Item | Rejected]:
        """Every row as ``reader`` reads it, which raises BadRow. Raises SheetError."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the good rows: how many opted a phone out, and how many named one that was already."""

    new: int
    already: int


@dataclass(frozen=True, slots=True)
class _Wish:
    phone: str
    reason: str
    since: datetime | None


class OptoutImport:
    """The opt-outs in a list; ``reason`` is that of rows which give none. ``rows`` is how many were read."""

    def __init__(self, store: Store, sheet: Listed, *, column: str, region: str, reason: str, actor: str) -> None:
        self._store, self._sheet, self._region, self._column = store, sheet, region, named(column)
        self._reason, self._actor = reason.strip(), actor.strip()
        self.rows = 0

    def check(self, progress: Progress = silent) -> Iterator[Rejected]:
        """The rows that can't be taken. Raises SheetError."""
        return (read for read in self._read(progress) if isinstance(read, Rejected))

    def preview(self) -> Taken:
        """What ``take`` would do now; it changes nothing. Raises SheetError, StoreError."""
        new: set[str] = set()
        good = 0
        for wishes in self._good(silent):
            phones = {wish.phone for wish in wishes}
            with self._store.reading() as connection:
                new |= phones - optouts.suppressed(connection, phones).keys()
            good += len(wishes)
        return Taken(len(new), good - len(new))

    def take(self, progress: Progress = silent, *, note: Note | None = None) -> Taken:
        """Opt out every phone of the good rows, then note the import in the ledger.

        ``note`` is written with the first of them, for the audit: no phone is opted out without.
        Broken off at any moment and done again, it goes on: who is opted out already is passed over without an event.
        Raises SheetError, StoreError.
        """
        source = {"import_id": str(new_id()), "file": self._sheet.name, "file_sha256": self._sheet.sha256}
        new = good = 0
        for wishes in self._good(progress):
            stops = [self._stop(wish, source) for wish in wishes]
            new += len(in_turn(self._store, _opt_out, stops, note))
            good += len(wishes)
            note = None
        counts = {"rows": self.rows, "new": new, "already": good - new, "rejected": self.rows - good}
        detail = {**source, **counts, "reason": self._reason}
        event = Event(EventType.IMPORTED, datetime.now(UTC), self._actor, None, detail=detail)
        in_turn(self._store, _append, event, note)
        return Taken(new, good - new)

    def _good(self, progress: Progress) -> Iterator[list[_Wish]]:
        return batches((read for read in self._read(progress) if not isinstance(read, Rejected)), _AT_ONCE)

    def _read(self, progress: Progress) -> Iterator[_Wish | Rejected]:
        self.rows = 0
        for read in self._sheet.read(self._wish, progress):
            self.rows += 1
            yield read

    def _wish(self, row: Row) -> _Wish:
        phone, since = phone_in(row, self._column, self._region), since_in(row)
        reason = row.values.get("reason") or self._reason
        if len(reason) > _LONGEST_REASON:
            raise BadRow(f"the reason is longer than {_LONGEST_REASON} characters")
        return _Wish(phone, reason, since)

    def _stop(self, wish: _Wish, source: Mapping[str, Any]) -> optouts.Stop:
        # In force from now on; since when it was wished is for the proof.
        detail = {**source, "since": timestamp(wish.since)} if wish.since else source
        return optouts.Stop(wish.phone, datetime.now(UTC), Source.IMPORT, self._actor, wish.reason, detail=detail)


def _opt_out(connection: Any, stops: Sequence[optouts.Stop], note: Note | None) -> set[str]:
    if note is not None:
        note.note(connection)
    return optouts.opt_out(connection, stops, repeats=False)


def _append(connection: Any, event: Event, note: Note | None) -> None:
    if note is not None:
        note.note(connection)
    Chain(connection).append([event])


def in_turn(
    store: Store, act: Callable[Concatenate[Any, _P], _Result], *arguments: _P.args, **named: _P.kwargs
) -> _Result:
    """``act`` in a transaction, anew where another writer was in the way, then a pause as long as that took."""
    attempt = 1
    while True:
        began = time.monotonic()
        try:
            with store.writing() as connection:
                result = act(connection, *arguments, **named)
        except Conflict:
            attempt += 1
            if attempt > _ATTEMPTS:
                raise
            continue
        time.sleep(min(time.monotonic() - began, _LONGEST_PAUSE))
        return result


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """``items`` in lists of ``size``, of which the last may be shorter."""
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some
