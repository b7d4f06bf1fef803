"""Stored replies read again in another charset, with all that follows: an unsubscribe that nobody saw is honoured now.

The text is read from the wire's bytes by the code that reads a delivery. A stop counts from when its reply arrived, and
is in force from this transaction on, even where the phone was opted out and lifted since: whoever lifted knew of the
stops before, not of this one. One that was honoured before is not honoured a second time, whatever became of it. A
reply that turns out to say no stop lifts nothing. A flag as duplicate stays: it is about a delivery that came twice,
which its bytes tell and not their reading.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from receiver.store import ledger, messages, readings
from receiver.store.audit_log import Note
from receiver.store.optouts import Stop, opt_out
from receiver.store.retrying import written
from receiver.store.sends import Transaction
from receiver.store.store import Store
from receiver.vocabulary import Charset, Delivery, Kind, Reading
from receiver.vocabulary.ledger import timestamp

# Messages that are changed in one transaction: on SQLite replies wait for it, some 10 ms.
_CHANGED_AT_ONCE = 20
_FIRST = UUID(int=0)

Row = Mapping[Any, Any]
# What is noted of a message that is read otherwise from now on.
Notes = Callable[[UUID], Note]


class NoSuchMessage(Exception):
    """No message has this id."""


class Stopped(StrEnum):
    """What a reply that turned out to say stop did: the phone was not opted out before, or it was."""

    OPTED_OUT = "opted_out"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Redecoded:
    """What a message said before, and what it says now; by ``readings.READ``'s names. ``stopped`` is what follows."""

    id: UUID
    before: Row = field(repr=False)
    after: Row = field(repr=False)
    stopped: Stopped | None = None

    @property
    def changed(self) -> bool:
        """Whether it says anything else now. A text that is the same in both charsets keeps the one it had."""
        return any(self.before[name] != self.after[name] for name in readings.READ if name != "charset")


@dataclass(frozen=True, slots=True)
class Examined:
    """A part of a list: how many messages were looked at, those that are read otherwise, and where to go on."""

    count: int
    changed: Sequence[Redecoded]
    last: UUID | None
    """Newer ones than this are still to be looked at; None where there are none."""


class Redecoding:
    """Reads stored messages again. ``reading`` is how this installation reads; the charset is given each time."""

    def __init__(self, store: Store, reading: Reading) -> None:
        self._store, self._reading = store, reading

    def one(
        self,
        message_id: UUID,
        charset: Charset,
        *,
        actor: str,
        notes: Notes | None = None,
        dry_run: bool = False,
    ) -> Redecoded:
        """Read one message in ``charset``, and keep what it said before. The same again changes nothing.

        With ``dry_run`` nothing is changed, and ``stopped`` is None. Raises NoSuchMessage, StoreError.
        """
        with self._store.reading() as connection:
            seen = [self.read(row, charset) for row in readings.found(connection, [message_id])]
        if seen and seen[0].changed and not dry_run:
            seen = self._change([message_id], charset, actor, notes)
        if not seen:
            raise NoSuchMessage("no message has this id")
        return seen[0]

    def some(
        self,
        chosen: messages.Filter,
        charset: Charset,
        *,
        actor: str,
        newer_than: UUID = _FIRST,
        limit: int,
        notes: Notes | None = None,
        dry_run: bool = False,
    ) -> Examined:
        """Read the oldest ``limit`` messages, or the oldest behind ``newer_than``, and change those that say otherwise.

        The oldest first, so that of several stops of one phone the first one opts it out. A few in each transaction:
        what was done stays done where a later one fails. Raises StoreError.
        """
        with self._store.reading() as connection:
            page = messages.page(connection, chosen, newer_than=newer_than, limit=limit + 1)[::-1]
            ids = [row["id"] for row in page[:limit]]
            seen = [self.read(row, charset) for row in readings.found(connection, ids)]
        changed = [each for each in seen if each.changed]
        if not dry_run:
            wanted = [each.id for each in changed]
            parts = [wanted[start : start + _CHANGED_AT_ONCE] for start in range(0, len(wanted), _CHANGED_AT_ONCE)]
            changed = [each for part in parts for each in self._change(part, charset, actor, notes) if each.changed]
        return Examined(len(ids), changed, ids[-1] if len(page) > limit else None)

    def _change(self, ids: Sequence[UUID], charset: Charset, actor: str, notes: Notes | None) -> list[Redecoded]:
        """These messages read again, oldest first, and stored so where they say otherwise."""

        def change(connection: Transaction) -> list[Redecoded]:
            now = datetime.now(UTC)
            # Of two at once the second waits here, and then finds nothing to change.
            rows = readings.locked(connection, ids)
            done = [self.read(row, charset) for row in rows]
            stops = []
            for row, each in zip(rows, done, strict=True):
                if not each.changed:
                    continue
                readings.replace(connection, row, each.after, at=now, actor=actor)
                if notes is not None:
                    notes(each.id).note(connection)
                if each.after["kind"] == Kind.UNSUBSCRIBE and not ledger.honoured(connection, row["src"], each.id):
                    stops.append(_stop(row, actor, now))
            stopped = _honour(connection, stops)
            return [replace(each, stopped=stopped.get(each.id)) for each in done]

        return written(self._store, change)

    def read(self, row: Row, charset: Charset) -> Redecoded:
        """What a message would say in ``charset``; nothing is changed."""
        said: Delivery = replace(self._reading, charset=charset).delivery(row["src_wire"], row["dst"], row["raw"])
        before = {name: row[name] for name in readings.READ}
        return Redecoded(row["id"], before, {name: getattr(said, name) for name in readings.READ})


def _stop(row: Row, actor: str, now: datetime) -> Stop:
    detail = {"redecoded_at": timestamp(now), "redecoded_by": actor}
    return Stop(row["src"], row["received_at"], raw=row["raw"], message_id=row["id"], detail=detail)


def _honour(connection: Transaction, stops: Sequence[Stop]) -> dict[UUID, Stopped]:
    """Put the stops in force; what became of each by its message."""
    if not stops:
        return {}
    first: dict[str, Stop] = {}
    for stop in sorted(stops, key=lambda stop: stop.at):
        first.setdefault(stop.phone, stop)
    new = opt_out(connection, stops)
    return {
        stop.message_id: Stopped.OPTED_OUT if stop.phone in new and first[stop.phone] is stop else Stopped.REPEATED
        for stop in stops
        if stop.message_id is not None
    }
