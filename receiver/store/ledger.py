"""The ledger's statements: one writer, under the lock of the chain's head, and readers of all or of one phone's."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from receiver.vocabulary.ledger import GENESIS, Event, EventType, chained, digest, skips_to

from .tables import ledger, ledger_head


def end(connection: Connection) -> tuple[int, bool]:
    """The number of the last event by the head's row, and whether that event is there as noted; 0 where there is none.

    In a transaction whose statements all see the same state (``Store.snapshot``).
    """
    sequence, noted = head(connection)
    last = at(connection, [sequence]).get(sequence)
    return sequence, sequence == 0 or (last is not None and last["hash"] == noted)


class Chain:
    """The ledger, locked for one transaction: whoever else wants to append waits until that ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        head = connection.execute(select(ledger_head.c.sequence, ledger_head.c.hash).with_for_update()).one()
        self._sequence: int = head.sequence
        self._hash: str = head.hash

    def append(self, events: Iterable[Event]) -> None:
        """Append ``events`` in their order."""
        new = list(events)
        if not new:
            return
        hashes = _skipped(self._connection, self._sequence, len(new)) | {0: GENESIS, self._sequence: self._hash}
        rows = []
        for sequence, event in enumerate(new, start=self._sequence + 1):
            previous = hashes[sequence - 1]
            hashes[sequence] = chained(previous, hashes[skips_to(sequence)], digest(sequence, event))
            rows.append(
                {
                    "sequence": sequence,
                    "at": event.at,
                    "type": event.type,
                    "actor": event.actor,
                    "phone": event.phone,
                    "message_id": event.message_id,
                    "raw_sha256": event.raw_sha256,
                    "detail": event.detail,
                    "previous": previous,
                    "hash": hashes[sequence],
                }
            )
        self._connection.execute(insert(ledger), rows)
        self._sequence += len(new)
        self._hash = hashes[self._sequence]
        self._connection.execute(update(ledger_head).values(sequence=self._sequence, hash=self._hash))


def _skipped(connection: Connection, head: int, count: int) -> dict[int, str]:
    """The hashes of the stored events that the next ``count`` ones skip to."""
    wanted = {skips_to(sequence) for sequence in range(head + 1, head + 1 + count)}
    stored = [sequence for sequence in wanted if 0 < sequence <= head]
    found = connection.execute(select(ledger.c.sequence, ledger.c.hash).where(ledger.c.sequence.in_(stored)))
    return {row.sequence: row.hash for row in found}


def head(connection: Connection) -> tuple[int, str]:
    """The last event's number and hash, as the head's row says; no hash at all where somebody removed it."""
    row = connection.execute(select(ledger_head.c.sequence, ledger_head.c.hash)).one_or_none()
    return (0, "") if row is None else (row.sequence, row.hash)


def count(connection: Connection) -> int:
    """How many events there are."""
    return connection.scalar(select(func.count()).select_from(ledger)) or 0


class Written(NamedTuple):
    """An event as it is stored, its values as text: the moment in RFC 3339, the detail in the JSON that was written."""

    sequence: int
    at: str
    type: str
    actor: str
    phone: str | None
    message_id: str | None
    raw_sha256: str | None
    detail: str
    previous: str
    hash: str


def stream(connection: Connection) -> Iterator[Written]:
    """Every event in its order, in as little memory for a million as for one.

    Read as text: to make a moment, a UUID and a dictionary of each row, and text of them again, was half the time that
    a verification took.
    """
    statement = _STREAM_SQLITE if connection.dialect.name == "sqlite" else _STREAM_POSTGRESQL
    with connection.execute(statement, execution_options={"yield_per": 5_000}) as result:
        yield from map(Written._make, result)


_STREAM_SQLITE = text("""
SELECT
    sequence, at, type, actor, phone,
    substr(message_id, 1, 8) || '-' || substr(message_id, 9, 4) || '-' || substr(message_id, 13, 4) || '-'
        || substr(message_id, 17, 4) || '-' || substr(message_id, 21),
    raw_sha256, detail, previous, hash
FROM ledger ORDER BY sequence
""")

_STREAM_POSTGRESQL = text("""
SELECT
    sequence, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24\\:MI\\:SS.US"Z"'), type, actor, phone,
    CAST(message_id AS text), raw_sha256, CAST(detail AS text), previous, hash
FROM ledger ORDER BY sequence
""")


def in_force_since(connection: Connection, phones: Iterable[str]) -> dict[str, int]:
    """The event that last opted each of these phones out, by phone."""
    statement = (
        select(ledger.c.phone, func.max(ledger.c.sequence).label("sequence"))
        .where(ledger.c.phone.in_(list(phones)), ledger.c.type == EventType.OPTED_OUT)
        .group_by(ledger.c.phone)
    )
    return {row.phone: row.sequence for row in connection.execute(statement)}


def of_phone(connection: Connection, phone: str) -> Sequence[RowMapping]:
    """One phone's events in their order."""
    return (
        connection.execute(select(ledger).where(ledger.c.phone == phone).order_by(ledger.c.sequence)).mappings().all()
    )


def honoured(connection: Connection, phone: str, message_id: UUID) -> bool:
    """Whether the ledger has a stop of this phone that a message said."""
    by_it = select(ledger.c.sequence).where(ledger.c.phone == phone, ledger.c.message_id == message_id).limit(1)
    return connection.execute(by_it).first() is not None


def at(connection: Connection, sequences: Iterable[int]) -> dict[int, RowMapping]:
    """The events with these numbers, by number."""
    statement = select(ledger).where(ledger.c.sequence.in_(list(sequences)))
    return {row["sequence"]: row for row in connection.execute(statement).mappings()}
